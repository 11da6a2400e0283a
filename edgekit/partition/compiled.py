"""The placement of a variant that was compiled ahead: what its compiler took and left of each graph."""

from __future__ import annotations

from edgekit.kinds.variant import Variant
from edgekit.results.partition import Blocker, Partition


def placement(variant: Variant) -> list[Partition]:
    """One for each graph, none where nothing was compiled; every piece of the rest is a round trip."""
    facts, found = variant.compiled, []
    for name, one in sorted(facts.get("graphs", {}).items()):
        taken, left = one["compiled"], one["left"]
        count = taken + sum(left.values())
        reason = f"{variant.ep} takes no such operator"
        found.append(
            Partition(
                ep=variant.ep,
                ep_options=variant.ep_options,
                how="measured",
                evidence="simulated",
                basis=f"the session in which {facts['compiler']} compiled it for {facts['soc']}",
                graph=f"{name} before it was compiled",
                nodes=count,
                nodes_taken=taken,
                work="nodes",
                coverage=taken / count if count else 0.0,
                weight_bytes=0,
                weight_bytes_taken=0,
                partitions=one["contexts"],
                round_trips=max(0, one["contexts"] - 1),
                nodes_by_ep={variant.ep: taken, **({"cpu": count - taken} if left else {})},
                blockers=tuple(
                    Blocker(operator=op, reason=reason, nodes=nodes, share=nodes / count) for op, nodes in left.items()
                ),
                notes=("weights lie inside the context and are not counted",),
            )
        )
    return found
