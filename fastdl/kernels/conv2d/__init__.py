"""Convolution: one problem, and a list of algorithms.

`passes` has the three public functions; they fill in one `problem`. `choose` asks each
algorithm of its list whether it fits and what it costs. An algorithm is a file with
four functions, fits, cost, plan and run (`algorithm`), and a row of that list:

- `direct`: windows times weights; `sweep` says why a gradient is one, too
- `scatter`, `planes`: the input gradient with strides, and of few channels
- `direct_weight`: the gradient of the weights
- `depthwise`: all three passes where each channel has its own filter
- `winograd`, `winograd_weight`: 3 x 3 with a quarter of the products; `winograd_wide`,
  `winograd_wide_weight`: the same for many channels; `tiles` has what they share

`images` cuts a batch of images into chunks.
"""
