"""Knowledge time: what the lakehouse knew at a time, and what a label's model could have known."""

from lakehouse.knowledge.features import FEATURES, FeatureRequest, features_as_of
from lakehouse.knowledge.forms import with_knowledge
from lakehouse.knowledge.point_in_time import point_in_time

__all__ = ["FEATURES", "FeatureRequest", "features_as_of", "point_in_time", "with_knowledge"]
