"""What can go wrong, as one family.

::

    FiresatError
    ├── ConfigError          a setting is wrong, misspelt or impossible       exit 2
    │   ├── BandError        an unknown band, or one in other units
    │   ├── WindowError      a window or a period that cannot be
    │   └── SplitError       splits that would leak into each other
    ├── CredentialsError     a provider wants a key that was not found        exit 2
    ├── GridError            pixels cannot be placed on the Canada grid
    ├── CubeError            the cube lacks, or refuses, what was asked
    ├── StoreError           the disk or the bucket under it refuses: everything stops
    ├── SourceError          a provider or a file did not deliver
    │   ├── CorruptFileError     a file is not what its name says
    │   ├── ProviderError        a provider refused, failed or timed out
    │   │   └── UnreachableError     no connection to it at all
    │   ├── LicenceError         a licence must be accepted on a web page first
    │   └── NoDataError          a provider has nothing of what was asked, and says so
    ├── ClusterError         the machines that do the work are gone
    ├── SampleError          no training sample, or an impossible one
    │   ├── CorruptChipError     a stored chip is truncated or changed
    │   └── LeakError        chips that know what they could not have known
    ├── CheckpointError      a checkpoint that does not fit
    └── ProductError         a map cannot be written as promised
"""


class FiresatError(Exception):
    """Base of everything firesat raises on purpose: one line that says what to do next."""

    exit_code = 1


class ConfigError(FiresatError):
    """A setting is wrong, misspelt or impossible."""

    exit_code = 2


class BandError(ConfigError):
    """A band is unknown, or comes in other units than its definition says."""


class WindowError(ConfigError):
    """A window, a period or a reference time that cannot be."""


class SplitError(ConfigError):
    """Splits that would leak into each other, or places that are not there."""


class CredentialsError(FiresatError):
    """A provider wants a key that was not found."""

    exit_code = 2


class GridError(FiresatError):
    """Pixels cannot be placed on the Canada grid."""


class CubeError(FiresatError):
    """The cube lacks, or refuses, what was asked."""


class StoreError(FiresatError):
    """The disk or the bucket refuses what is asked of it: another block would fare no better."""


class SourceError(FiresatError):
    """A provider or a file did not deliver."""


class CorruptFileError(SourceError):
    """A file is not what its name says: truncated, damaged, or a login page."""


class ProviderError(SourceError):
    """A provider refused, failed or did not answer in time."""


class UnreachableError(ProviderError):
    """No connection to a provider could be opened: every other request would fare the same."""


class LicenceError(SourceError):
    """A licence must be accepted on the provider's web page before the download."""


class NoDataError(SourceError):
    """A provider has nothing of what was asked, and says so: asking again gives the same."""


class ClusterError(FiresatError):
    """The scheduler or the machines that do the work are gone."""


class SampleError(FiresatError):
    """There is no training sample to take, or an impossible one was asked for."""


class CorruptChipError(SampleError):
    """A stored chip is truncated, or not what was written."""


class LeakError(SampleError):
    """Chips know something that a forecaster could not have known."""


class CheckpointError(FiresatError):
    """A checkpoint does not fit the network, the bands or the grid."""


class TrainingError(FiresatError):
    """A training went where no forecast comes from."""


class ProductError(FiresatError):
    """A map cannot be written as promised."""
