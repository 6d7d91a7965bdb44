"""Names of classes and functions: from a string or a config to an object, and from an object to a config.

The table of names is also the allowlist for loading: a config can name what this library or the user registered, and
nothing else. Loading a config may import a family of this library, but no other module.
"""

from jaxkeras.registry.custom import CustomObjectScope as CustomObjectScope
from jaxkeras.registry.custom import custom_object_scope as custom_object_scope
from jaxkeras.registry.custom import get_custom_objects as get_custom_objects
from jaxkeras.registry.custom import get_registered_name as get_registered_name
from jaxkeras.registry.custom import get_registered_object as get_registered_object
from jaxkeras.registry.custom import register_keras_serializable as register_keras_serializable
from jaxkeras.registry.deserialization import deserialize as deserialize
from jaxkeras.registry.deserialization import get as get
from jaxkeras.registry.deserialization import is_config as is_config
from jaxkeras.registry.foreign import foreign_keras as foreign_keras
from jaxkeras.registry.foreign import refuse_foreign_keras as refuse_foreign_keras
from jaxkeras.registry.serialization import serialize as serialize
from jaxkeras.registry.serialization import serialize_argument as serialize_argument
from jaxkeras.registry.serialization import serialize_dict as serialize_dict
from jaxkeras.registry.shared_objects import ObjectSharingScope as ObjectSharingScope
from jaxkeras.registry.shared_objects import holds_lambda as holds_lambda
from jaxkeras.registry.table import BUILT_IN_KINDS as BUILT_IN_KINDS
from jaxkeras.registry.table import ConfigError as ConfigError
from jaxkeras.registry.table import find as find
from jaxkeras.registry.table import is_builtin as is_builtin
from jaxkeras.registry.table import register as register
from jaxkeras.registry.table import registered as registered
from jaxkeras.registry.table import unknown as unknown
