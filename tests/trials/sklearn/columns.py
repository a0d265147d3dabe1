"""A scikit-learn user's first script: a messy DataFrame into a pipeline.

He wanted ColumnTransformer with numbers that are missing, nullable integers, booleans,
categories and a column of text in front of FastClassifier, with labels "yes" and "no".
"""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastdl.sklearn import FastClassifier

rng = np.random.default_rng(0)
m = 600
good, bad = "kind fast clean fair great".split(), "rude slow dirty dear awful".split()
both = np.array(good + bad)
notes = [" ".join(rng.choice(both, 4)) for _ in range(m)]
frame = pd.DataFrame(
    {
        "age": rng.integers(18, 80, m).astype(float),
        "visits": pd.array(rng.integers(0, 9, m), dtype="Int64"),
        "city": pd.Categorical(rng.choice(["Oslo", "Rome", "Kyiv"], m)),
        "member": rng.random(m) < 0.5,
        "note": notes,
    }
)
praise = np.array([sum(w in good for w in note.split()) for note in notes]) - 2
score = praise + frame["member"] * 1.0 + (frame["age"] > 50) * 1.0 - 0.8
score += (frame["city"] == "Rome") * 1.0 + rng.normal(0, 0.3, m)
buys = pd.Series(np.where(score > 0, "yes", "no"), name="buys")
frame.loc[::7, "age"] = np.nan
frame.loc[::11, "visits"] = pd.NA

columns = ColumnTransformer(
    [
        (
            "numbers",
            make_pipeline(SimpleImputer(), StandardScaler()),
            ["age", "visits"],
        ),
        ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ("member", "passthrough", ["member"]),
        ("note", TfidfVectorizer(), "note"),
    ],
    sparse_threshold=0,  # a network takes no sparse rows
)
x_train, x_test, y_train, y_test = train_test_split(
    frame, buys, random_state=0, stratify=buys
)


def score_of(estimator):
    pipeline = Pipeline([("columns", columns), ("model", estimator)])
    return pipeline.fit(x_train, y_train).score(x_test, y_test), pipeline


network = FastClassifier(
    model_options={"hidden": (32,)}, early_stopping=True, random_state=0
)
accuracy, pipeline = score_of(network)
linear, _ = score_of(LogisticRegression())
dummy, _ = score_of(DummyClassifier())
print(f"network {accuracy:.3f}, linear {linear:.3f}, dummy {dummy:.3f}")

one = x_test.iloc[[0]]
probabilities = pipeline.predict_proba(x_test)

assert accuracy > 0.8 and accuracy > dummy + 0.15, accuracy
assert accuracy > linear - 0.05
assert list(pipeline.classes_) == ["no", "yes"]
assert pipeline.predict(one)[0] in ("no", "yes")
assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
