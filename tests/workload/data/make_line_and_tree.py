"""Make line_and_tree.skops: a fitted pipeline and a decision tree, written by skops itself.

Needs skops, which nothing else here does: python tests/workload/data/make_line_and_tree.py
"""

from pathlib import Path

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skops.io import dump

data, target = load_iris(return_X_y=True)
line = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, target)
tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(data, target)
place = Path(__file__).with_name("line_and_tree.skops")
dump({"line": line, "tree": tree}, place, compression=8, compresslevel=9)
