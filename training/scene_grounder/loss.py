"""The loss of Grounding DINO for batches of prompts with different phrases.

It differs in two ways from the loss of `GroundingDinoForObjectDetection` (transformers 5.23). That loss shifts the
targets of a batch's members by wrong offsets; here each member gets its own targets. And the encoder's outputs, which
select the queries, get their own loss: each box is assigned to its few best locations (one to many), as in Salience
DETR and Co-DETR. Without it the two-stage head learns almost nothing.

The focal loss (alpha 0.25, gamma 2) covers all real tokens, including [CLS], [SEP] and ".", because the class selects
its queries by the best of all tokens. Focal loss, L1 and generalised IoU have the weights 2, 5 and 2. The matching cost
is 2 class + 5 L1 + 2 GIoU, as in DINO (arXiv 2203.03605) and Grounding DINO (arXiv 2303.05499).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

from training.scene_grounder.batches import Batch, Target

CLASS, L1, GIOU = 2.0, 5.0, 2.0
_ALPHA, _GAMMA = 0.25, 2.0
_LOCATIONS = 5  # encoder locations that learn one box
_AWAY = 1.0  # cost per normalised distance between a location and the centre of the box


@dataclass(frozen=True)
class Predicted:
    """The output of one layer. logits: [batch, queries, tokens]. boxes: [batch, queries, 4], centre, width, height."""

    logits: Tensor
    boxes: Tensor


def predictions(model: Any, output: Any, mask: Tensor) -> tuple[list[Predicted], Predicted]:
    """Returns the predictions of each decoder layer, and those of the encoder's locations."""
    tokens = mask.shape[1]
    hidden, text = output.intermediate_hidden_states, output.encoder_last_hidden_state_text
    layers = []
    for level in range(hidden.shape[1]):
        before = output.init_reference_points if level == 0 else output.intermediate_reference_points[:, level - 1]
        logits = model.class_embed[level](hidden[:, level], text, mask.bool())[..., :tokens]
        moved = model.bbox_embed[level](hidden[:, level]) + torch.special.logit(before, eps=1e-5)
        layers.append(Predicted(logits, moved.sigmoid()))
    encoder = Predicted(output.enc_outputs_class[..., :tokens], output.enc_outputs_coord_logits.sigmoid())
    return layers, encoder


Pairs = tuple[Tensor, Tensor]
"""Numbers of queries and of the boxes that they must predict, both int64 [n]."""


def match(predicted: Predicted, batch: Batch) -> list[Pairs]:
    """Assigns one query to each box of each member (Hungarian matching)."""
    costs = [_cost(predicted, i, target) for i, target in enumerate(batch.targets)]
    predicted_boxes = [(cost.device, linear_sum_assignment(cost.cpu().numpy())) for cost in costs]
    return [(torch.from_numpy(q).to(device), torch.from_numpy(b).to(device)) for device, (q, b) in predicted_boxes]


class Loss(NamedTuple):
    """Two parts of the loss: what things are, and where they are."""

    classes: Tensor
    places: Tensor


def total_loss(layers: list[Predicted], encoder: Predicted, batch: Batch, matches: list[list[Pairs]]) -> Loss:
    """Returns the sums over all layers, divided by the number of boxes. matches: the result of `match` per layer."""
    count = max(sum(len(target.boxes) for target in batch.targets), 1)
    losses = [_loss(one, batch, pairs) for one, pairs in zip(layers, matches, strict=True)]
    chosen = [_nearest(encoder, i, target) for i, target in enumerate(batch.targets)]
    losses.append(_loss(encoder, batch, chosen, _LOCATIONS))
    classes, places = (torch.stack(parts).sum() / count for parts in zip(*losses, strict=True))
    return Loss(classes, places)


def _loss(predicted: Predicted, batch: Batch, pairs: list[Pairs], copies: int = 1) -> Loss:
    truth = torch.zeros_like(predicted.logits)
    for member, ((queries, boxes), target) in enumerate(zip(pairs, batch.targets, strict=True)):
        truth[member, queries] = target.named[boxes, : truth.shape[2]]
    real = batch.mask.bool()[:, None, :].expand_as(truth)
    logits = torch.where(real, predicted.logits, torch.zeros_like(truth))
    classes = (focal(logits, truth) * real).sum()
    predicted_boxes = torch.cat([predicted.boxes[i, queries] for i, (queries, _) in enumerate(pairs)])
    expected = torch.cat([target.boxes[boxes] for (_, boxes), target in zip(pairs, batch.targets, strict=True)])
    distance = l1_loss(predicted_boxes, expected, reduction="sum")
    overlap = (1 - giou(predicted_boxes, expected)).sum()
    return Loss(CLASS * classes / copies, (L1 * distance + GIOU * overlap) / copies)


def focal(logits: Tensor, truth: Tensor) -> Tensor:
    """Returns the focal loss of every element (arXiv 1708.02002)."""
    probability = logits.sigmoid()
    plain = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    wrong = probability + truth - 2 * probability * truth
    weight = _ALPHA * truth + (1 - _ALPHA) * (1 - truth)
    return weight * wrong**_GAMMA * plain


def _cost(predicted: Predicted, member: int, target: Target) -> Tensor:
    """Returns the matching costs, [queries, boxes], without a gradient."""
    logits, boxes = predicted.logits[member].detach(), predicted.boxes[member].detach()
    named = target.named[:, : logits.shape[1]]
    probability = torch.nan_to_num(logits, neginf=-50.0).sigmoid()
    hit = _ALPHA * (1 - probability) ** _GAMMA * -(probability + 1e-8).log()
    miss = (1 - _ALPHA) * probability**_GAMMA * -(1 - probability + 1e-8).log()
    classes = (hit - miss) @ (named / named.sum(1, keepdim=True)).T
    distance = torch.cdist(boxes, target.boxes, p=1)
    return CLASS * classes + L1 * distance - GIOU * giou(boxes[:, None], target.boxes[None])


def _nearest(encoder: Predicted, member: int, target: Target) -> Pairs:
    """Returns the cheapest few locations of each box. A location chosen by several boxes gets its cheapest one."""
    cost = _cost(encoder, member, target)
    if not cost.shape[1]:
        none = torch.zeros(0, dtype=torch.long, device=cost.device)
        return none, none
    cost = cost + _AWAY * torch.cdist(encoder.boxes[member, :, :2].detach(), target.boxes[:, :2])
    best = torch.full_like(cost, torch.inf)
    few = cost.topk(min(_LOCATIONS, len(cost)), dim=0, largest=False)
    best.scatter_(0, few.indices, few.values)
    queries = torch.isfinite(best).any(1).nonzero()[:, 0]
    return queries, best[queries].argmin(1)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Returns the generalised IoU (arXiv 1902.09630), -1..1, of boxes [..., 4] given as centre, width, height."""
    a1, a2 = a[..., :2] - a[..., 2:] / 2, a[..., :2] + a[..., 2:] / 2
    b1, b2 = b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2
    common = (torch.minimum(a2, b2) - torch.maximum(a1, b1)).clamp(min=0).prod(-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - common
    hull = (torch.maximum(a2, b2) - torch.minimum(a1, b1)).prod(-1)
    return common / (union + 1e-7) - (hull - union) / (hull + 1e-7)
