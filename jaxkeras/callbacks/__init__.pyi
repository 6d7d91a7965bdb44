# What is loaded when first used: see `core/lazy_imports.py`.
from jaxkeras.callbacks.backup_and_restore import BackupAndRestore as BackupAndRestore
from jaxkeras.callbacks.callback import Callback as Callback
from jaxkeras.callbacks.callback_list import CallbackList as CallbackList
from jaxkeras.callbacks.csv_logger import CSVLogger as CSVLogger
from jaxkeras.callbacks.early_stopping import EarlyStopping as EarlyStopping
from jaxkeras.callbacks.history import History as History
from jaxkeras.callbacks.lambda_callback import LambdaCallback as LambdaCallback
from jaxkeras.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
from jaxkeras.callbacks.learning_rate import ReduceLROnPlateau as ReduceLROnPlateau
from jaxkeras.callbacks.live_plot import LivePlot as LivePlot
from jaxkeras.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from jaxkeras.callbacks.orbax_checkpoint import OrbaxCheckpoint as OrbaxCheckpoint
from jaxkeras.callbacks.progbar_logger import ProgbarLogger as ProgbarLogger
from jaxkeras.callbacks.remote_monitor import RemoteMonitor as RemoteMonitor
from jaxkeras.callbacks.swap_ema_weights import SwapEMAWeights as SwapEMAWeights
from jaxkeras.callbacks.tensorboard import TensorBoard as TensorBoard
from jaxkeras.callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN
