"""What to do next: splits, diagnosis, choice, error analysis, labels, synthesis."""

from fastdl import exports
from fastdl.strategy.choice import Candidate as Candidate
from fastdl.strategy.choice import Choice as Choice
from fastdl.strategy.choice import choose as choose
from fastdl.strategy.corrections import Correction as Correction
from fastdl.strategy.corrections import Corrections as Corrections
from fastdl.strategy.coverage import Coverage as Coverage
from fastdl.strategy.diagnosis import Diagnosis as Diagnosis
from fastdl.strategy.diagnosis import Gap as Gap
from fastdl.strategy.diagnosis import diagnose as diagnose
from fastdl.strategy.error_analysis import Ceiling as Ceiling
from fastdl.strategy.error_analysis import ErrorAnalysis as ErrorAnalysis
from fastdl.strategy.formula import Formula as Formula
from fastdl.strategy.inference import InferenceCost as InferenceCost
from fastdl.strategy.inference import compare_runs as compare_runs
from fastdl.strategy.inference import inference_cost as inference_cost
from fastdl.strategy.inference import inference_costs as inference_costs
from fastdl.strategy.knobs import KNOBS as KNOBS
from fastdl.strategy.knobs import Knob as Knob
from fastdl.strategy.knobs import Remedy as Remedy
from fastdl.strategy.label_review import LabelReview as LabelReview
from fastdl.strategy.label_review import Suspect as Suspect
from fastdl.strategy.label_review import quick_recipe as quick_recipe
from fastdl.strategy.label_review import read_suspects as read_suspects
from fastdl.strategy.label_review import review_labels as review_labels
from fastdl.strategy.labels import SuspectLabels as SuspectLabels
from fastdl.strategy.labels import WrongPair as WrongPair
from fastdl.strategy.labels import suspect_labels as suspect_labels
from fastdl.strategy.learning_curve import DataCurve as DataCurve
from fastdl.strategy.learning_curve import learning_curve as learning_curve
from fastdl.strategy.limits import Limit as Limit
from fastdl.strategy.measure import Measured as Measured
from fastdl.strategy.measure import measure as measure
from fastdl.strategy.optimisation import Symptom as Symptom
from fastdl.strategy.optimisation import symptoms as symptoms
from fastdl.strategy.out_of_fold import out_of_fold as out_of_fold
from fastdl.strategy.pipeline import Pipeline as Pipeline
from fastdl.strategy.pipeline import PipelineReport as PipelineReport
from fastdl.strategy.pipeline import StageScore as StageScore
from fastdl.strategy.runs import learning_curve_run as learning_curve_run
from fastdl.strategy.runs import measure_run as measure_run
from fastdl.strategy.settings import setting_differences as setting_differences
from fastdl.strategy.sizes import examples_needed as examples_needed
from fastdl.strategy.sizes import rule_of_thumb as rule_of_thumb
from fastdl.strategy.sizes import standard_error as standard_error
from fastdl.strategy.split import Split as Split
from fastdl.strategy.split_report import SplitReport as SplitReport
from fastdl.strategy.splits import split_sources as split_sources
from fastdl.strategy.splits import train_dev_test as train_dev_test
from fastdl.strategy.synthesis import Mix as Mix
from fastdl.strategy.synthesis import mix as mix

exports.publish(__name__)
