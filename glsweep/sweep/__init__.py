"""The sweep: trials proposed, trained, compared and stopped; on Ray."""

import glsweep.doctor  # noqa: F401  sets what Ray reads when it is imported
