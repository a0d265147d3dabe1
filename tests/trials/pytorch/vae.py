"""A variational autoencoder on digits: ConvTranspose2d, the reparameterisation trick,
a loss of two terms, samples from the prior; and the latent codes tell the digits apart."""

import numpy as np

import fastdl
from fastdl import data, datasets, nn, optim
from fastdl import functional as F

fastdl.manual_seed(0)
rng = np.random.default_rng(0)
digits = datasets.load("digits")
x_train = digits.train.x


class VAE(nn.Module):
    def __init__(self, latent=8):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256, 64),
            nn.ReLU(),
        )
        self.mu = nn.Linear(64, latent)
        self.logvar = nn.Linear(64, latent)
        self.up = nn.Linear(latent, 256)
        self.deconv = nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1)

    def decode(self, z):
        return self.deconv(F.relu(self.up(z)).reshape(-1, 4, 4, 16))

    def forward(self, x):
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        std = F.exp(0.5 * logvar)
        eps = rng.standard_normal(std.shape).astype("float32") if self.training else 0.0
        return self.decode(mu + eps * std), mu, logvar


def vae_loss(logits, x, mu, logvar):
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kld = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum()
    return (bce + kld) / len(x)


model = VAE()
optimizer = optim.Adam(model.parameters(), lr=3e-3)
history = []
loader = data.DataLoader(x_train, batch_size=128, shuffle=True)
for epoch in range(12):
    total = 0.0
    for x, _ in loader:
        optimizer.zero_grad()
        logits, mu, logvar = model(x)
        loss = vae_loss(logits, x, mu, logvar)
        loss.backward()
        optimizer.step()
        total += loss.item()
    history.append(total / len(loader))
print(history[0], history[-1])
assert history[-1] < 0.85 * history[0]
model.eval()
with fastdl.no_grad():
    reconstruction = F.sigmoid(model(digits.test.x)[0]).numpy()
    sample = F.sigmoid(
        model.decode(rng.standard_normal((5, 8)).astype("float32"))
    ).numpy()
    codes, test_codes = model(x_train)[1].numpy(), model(digits.test.x)[1].numpy()
assert sample.shape == (5, 8, 8, 1) and 0 <= sample.min() <= sample.max() <= 1
assert np.mean((reconstruction - data.as_float(digits.test.x)) ** 2) < 0.05
centres = np.stack([codes[digits.train.y == k].mean(0) for k in range(10)])
nearest = np.linalg.norm(test_codes[:, None] - centres, axis=2).argmin(1)
print("nearest centre", (nearest == digits.test.y).mean())
assert (nearest == digits.test.y).mean() > 0.7
