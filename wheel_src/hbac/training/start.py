"""What the folds of a run start from: earlier folds, ImageNet's weights, or nothing; and how that is said."""

from hbac.files import md5_of
from hbac.network.families import FAMILIES
from hbac.network.graph import Tensors
from hbac.network.settings import FULL_WIDTH
from hbac.training.options import TrainOptions
from hbac.weights.checkpoints import IMAGENET_CHANNELS, imagenet_backbone, mean_of_folds


def start_weights(options: TrainOptions) -> Tensors | None:
    """What the folds start from: the mean of earlier folds, ImageNet's backbone, or nothing.

    Raises:
        WeightsError: a file is none of this network.
    """
    network = options.network()
    if options.start:
        return mean_of_folds(options.start, network)
    return imagenet_backbone(options.imagenet, network) if options.imagenet else None


def start_described(options: TrainOptions) -> str:
    """The same in words, for the log and the report."""
    if options.start:
        return f"from {'the mean of ' * (len(options.start) > 1)}{', '.join(file.name for file in options.start)}"
    imagenet = FAMILIES[options.family].imagenet
    if imagenet is None:
        return "from scratch"
    if options.imagenet is None:
        narrow = options.width != FULL_WIDTH
        return f"from scratch, {f'as ImageNet has weights of width {FULL_WIDTH} alone' if narrow else f'without {imagenet.file}'}"
    md5 = md5_of(options.imagenet)
    parts = [f"from ImageNet's weights, {options.imagenet.name} (MD5 {md5}"]
    parts.append(", as Keras states)" if md5 == imagenet.md5 else f", not the {imagenet.md5} that Keras states)")
    if imagenet.preprocessing:
        parts.append("; its layers that normalise images are left out, inputs come normalised")
    if (channels := options.preset().shape[-1]) != IMAGENET_CHANNELS:
        parts.append(f"; its first kernel's mean over {IMAGENET_CHANNELS} channels stands for each of {channels}")
    return "".join(parts)
