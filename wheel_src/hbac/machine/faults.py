"""Whose fault an error of the system is: the machine's, the disk's, or the file's."""

import errno
import os
from typing import Final

SCARCE: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT}  # for every file alike
OF_DEVICE: Final = {  # of one damaged file, or of a disk or a mount that has gone
    errno.EIO,
    errno.ENXIO,
    errno.ENODEV,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ECONNABORTED,
    errno.ECONNRESET,
    errno.EREMOTEIO if hasattr(errno, "EREMOTEIO") else errno.EIO,
}


def has_run_out(error: BaseException | None) -> str | None:
    """What the system says where this machine lacks something, whatever the file is; None for other errors."""
    scarce = isinstance(error, OSError) and error.errno in SCARCE
    return os.strerror(error.errno) if scarce else None  # type: ignore[union-attr, arg-type]


def is_of_device(error: BaseException | None) -> bool:
    """Whether an error may be that of a whole disk or mount."""
    return isinstance(error, OSError) and error.errno in OF_DEVICE
