"""Tables of other libraries straight into Trainer and FastClassifier.

He wanted Polars and Arrow tables and sparse rows of text. Needs polars, pyarrow, scipy.
"""

from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
import scipy.sparse
from sklearn.datasets import load_breast_cancer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import fastdl
from fastdl import nn, optim
from fastdl.sklearn import FastClassifier

x, y = load_breast_cancer(return_X_y=True)
x = (x - x.mean(axis=0)) / x.std(axis=0)
names = [f"column {i}" for i in range(x.shape[1])]
polars_x, polars_y = pl.DataFrame(x, schema=names), pl.Series("y", y)
arrow_x = pa.table({name: x[:, i] for i, name in enumerate(names)})
arrow_y = pa.chunked_array([y[:100], y[100:]])


def train(x, y):
    fastdl.manual_seed(0)
    model = nn.Sequential(nn.Linear(None, 16), nn.ReLU(), nn.Linear(None, 2))
    trainer = fastdl.Trainer(model, optimizer=partial(optim.Adam, lr=0.003))
    trainer.fit(x, y, epochs=5)
    return trainer.evaluate(x, y)["accuracy"], trainer.predict(x)


of_arrays, logits = train(x, y)
of_polars, polars_logits = train(polars_x, polars_y)
of_arrow, arrow_logits = train(arrow_x, arrow_y)
flagged = polars_x.with_columns((pl.col("column 3") > 0).alias("big"))
with_booleans, _ = train(flagged, polars_y)
collected, _ = train(polars_x.lazy().collect(), polars_y)

labels = np.where(y == 1, "benign", "malignant")
classifier = FastClassifier(max_iter=10, random_state=0)
by_polars = classifier.fit(polars_x, pl.Series(labels)).score(polars_x, labels)
by_arrow = classifier.fit(arrow_x, labels).score(arrow_x, labels)

# Sparse rows: dense before they come to a network.
sparse, _ = train(scipy.sparse.csr_array(np.where(abs(x) > 1, x, 0)).toarray(), y)
rng = np.random.default_rng(0)
words = np.array("kind fast clean fair rude slow dirty dear".split())
texts = [" ".join(words[rng.integers(0, 8, 5)]) for _ in range(300)]
praise = np.array([sum(w in words[:4] for w in text.split()) >= 3 for text in texts])
dense = FunctionTransformer(lambda rows: rows.toarray(), accept_sparse=True)
model = make_pipeline(TfidfVectorizer(), dense, FastClassifier(random_state=0))
read = model.fit(texts[:200], praise[:200]).score(texts[200:], praise[200:])
print(of_arrays, of_polars, of_arrow, by_polars, sparse, read)

assert of_arrays == of_polars == of_arrow == collected > 0.9
assert (logits == polars_logits).all() and (logits == arrow_logits).all()
assert with_booleans > 0.9 and by_polars == by_arrow > 0.95
assert sparse > 0.85 and read > 0.9
