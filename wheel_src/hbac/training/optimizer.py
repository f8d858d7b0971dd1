"""What makes the weights better: Adam with warm-up and cosine decay, and a moving average of the weights beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hbac.errors import InputError
from hbac.training.schedule import Stage

if TYPE_CHECKING:
    import keras

AVERAGED_SHARE = 1 / 3  # of an epoch: the span that the moving average of the weights remembers

Arrays = Sequence[np.ndarray[Any, Any]]


def learning_rates(stage: Stage, steps: int, warm_up_share: float) -> Any:
    """The schedule of a stage of so many steps: up to its peak, then along a cosine to 0."""
    import keras

    warm_up = int(warm_up_share * steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - warm_up, 1), warmup_target=stage.learning_rate, warmup_steps=warm_up
    )


def compile_model(model: "keras.Model", rates: Any, steps_per_epoch: float, state: Arrays = ()) -> None:
    """Give a model KL loss and Adam, whose moving average of the weights starts at the weights themselves.

    Args:
        model: to be trained.
        rates: the schedule of `learning_rates`.
        steps_per_epoch: decides how far back the average remembers.
        state: values of the optimizer's variables to go on from; none for a new one.

    Raises:
        InputError: the state is one of another precision.
    """
    import keras

    momentum = 1 - 1 / max(2.0, steps_per_epoch * AVERAGED_SHARE)
    model.compile(keras.optimizers.Adam(rates, use_ema=True, ema_momentum=momentum), keras.losses.KLDivergence())
    optimizer = model.optimizer  # with a scaled loss in mixed precision
    optimizer.build(model.trainable_variables)
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    for average, variable in zip(inner._model_variables_moving_average, model.trainable_variables):
        average.assign(variable)  # Keras starts at 0, which a first step that is skipped would leave as it is
    if not state:
        return
    if len(state) != len(optimizer.variables):
        raise InputError("expected a state of this precision, received one of another")
    for variable, value in zip(optimizer.variables, state):
        variable.assign(value)
