"""Folds to calibrated mean probabilities.

Each fold's logits are divided by its member's temperature (Guo et al. 2017, arXiv:1706.04599), softmaxed, and the
weighted mean of the folds' probabilities is taken, all in float64. Of a mixed ensemble the members' means are averaged
in their turn.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hbac.ensemble.mean import Probabilities, mean_of
from hbac.errors import WeightsError
from hbac.network.engine import AUTO, Engine, finite_logits, first_that_works, make_engine, softmax
from hbac.preprocessing.golden import IMAGE_TOLERANCE, golden_image, probe
from hbac.weights.checkpoints import load_fold
from hbac.weights.manifest import Manifest, Member

PROBABILITY_TOLERANCE = 1e-4  # of a fold's answer to the golden record, float32
REDUCED_TOLERANCE = 2e-2  # with GPUs, which compute in float16

Images = npt.NDArray[np.float32]


class Ensemble:
    """The folds of a manifest behind one call.

    Every fold is checked before the first record: file, digest, names, shapes, finite values, and its answer to the
    golden record.

    Args:
        manifest: which folds.
        engines: one for each member's network, all of one kind.

    Raises:
        WeightsError: anything of that is not as the manifest says.
    """

    def __init__(self, manifest: Manifest, *engines: Engine):
        if len(engines) != len(manifest.members):
            raise WeightsError(
                f"expected an engine for each member, {len(manifest.members)}, received {len(engines)}: "
                "`make_ensemble` makes them"
            )
        self.manifest, self.engine = manifest, engines[0]  # how they are to be called does not differ
        self._engines = engines
        images = [_checked_image(member, manifest.is_mixed) for member in manifest.members]
        for member, engine, image in zip(manifest.members, engines, images):
            engine.load(load_fold(manifest, fold) for fold in member.folds)  # one after the other: only one in memory
            _check_answers(member, engine, image)

    def predict(
        self, images: Images | Mapping[str, Images], folds: Sequence[int] | None = None, flip: bool = False
    ) -> Probabilities:
        """Calibrated mean probabilities.

        Args:
            images: (batch, *shape) float32 of the only preset, or of each preset by its name.
            folds: which folds take part, by their numbers over all members; by default all whose preset has an image.
            flip: also answer the image with left and right exchanged where a preset has such, and average.

        Returns:
            (batch, 6) float64, rows summing to 1, in the order of `hms.CLASSES`.

        Raises:
            WeightsError: a fold answers with something that is not finite, or a fold's preset has no image.
        """
        given = images if isinstance(images, Mapping) else {self.manifest.preprocessing.preset: images}
        answers, weights, first = [], [], 0
        for number, member in enumerate(self.manifest.members):
            preset, last = member.preprocessing.preset, first + len(member.folds)
            chosen = [n - first for n in range(first, last) if (preset in given if folds is None else n in folds)]
            if chosen and preset not in given:
                raise WeightsError(f"{member.name}: expected an image of {preset}, received {sorted(given)}")
            if chosen:
                answers.append(self.answer_of(number, given[preset], chosen, flip))
                weights.append(member.weight)
            first = last
        if not answers:
            raise WeightsError(f"expected a fold with an image to answer, received images of {sorted(given)}")
        return mean_of(answers, weights, self.manifest.mean)

    def answer_of(self, number: int, images: Images, folds: Sequence[int], flip: bool = False) -> Probabilities:
        """The mean probabilities of some of a member's own folds, (batch, 6); see `predict`."""
        member, engine = self.manifest.members[number], self._engines[number]
        views = [images, member.preprocessing.flip(images)] if flip and member.preprocessing.flips else [images]
        weights = [member.folds[fold].weight for fold in folds]
        total = np.zeros((len(images), len(self.manifest.class_prior)))
        for fold, weight in zip(folds, weights):
            for view in views:
                total += weight * softmax(
                    finite_logits(engine, fold, view, member.folds[fold].file), member.temperature
                )
        mean: Probabilities = total / total.sum(axis=1, keepdims=True)
        return mean


def make_ensemble(
    manifest: Manifest,
    engine: str = AUTO,
    batch_size: int | None = None,
    imported: Callable[[], None] = lambda: None,
    streams: int | None = None,
) -> Ensemble:
    """A manifest's folds behind one call, with an engine for each member: the first kind that this machine can use.

    Args:
        manifest: which folds.
        engine: of `network.settings.ENGINES`.
        batch_size: images a call on GPUs.
        imported: called when the engines are there and their folds are not.
        streams: calls at once on CPUs, a core each; the usable cores by default.

    Raises:
        WeightsError: the manifest or a fold is not as it must be.
        MachineError: this machine cannot use the engine.
    """

    def made(name: str) -> Ensemble:
        engines = [make_engine(name, member.network, batch_size, streams) for member in manifest.members]
        imported()
        return Ensemble(manifest, *engines)

    return first_that_works(engine, made)


def check_preprocessing(manifest: Manifest) -> Images:
    """The golden record's image, after comparing it with the one that the only member's folds were trained beside.

    Raises:
        WeightsError: this package makes another image of the golden record, or there are several members.
    """
    return _checked_image(manifest.only, False)


def _checked_image(member: Member, is_named: bool) -> Images:
    image = golden_image(member.preprocessing)
    worst = float(np.abs(np.array(member.golden_image) - np.array(probe(image))).max())
    if not worst <= IMAGE_TOLERANCE:
        raise WeightsError(
            f"{f'{member.name}: ' * is_named}golden_image: expected the image that the folds were trained on within "
            f"{IMAGE_TOLERANCE:g}, received one that differs by {worst:.3g}: another version of the preprocessing"
        )
    return image


def _check_answers(member: Member, engine: Engine, image: Images) -> None:
    tolerance = PROBABILITY_TOLERANCE if engine.exact else REDUCED_TOLERANCE
    for number, fold in enumerate(member.folds):
        received = softmax(finite_logits(engine, number, image[None], fold.file))[0]
        worst = float(np.abs(received - np.array(fold.golden)).max())
        if not worst <= tolerance:
            raise WeightsError(
                f"{fold.file}: expected the golden record's answer {np.round(fold.golden, 5).tolist()} within "
                f"{tolerance:g}, received {np.round(received, 5).tolist()}"
            )
