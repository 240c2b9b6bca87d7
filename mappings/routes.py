"""What the shared language answers. It listens to nothing: words are asked for."""

from hub.routing import Answer, register
from mappings.canonical import DimensionQuestion
from mappings.flows import dimensions

register([Answer("mappings.dimension", DimensionQuestion, dimensions.answer)])
