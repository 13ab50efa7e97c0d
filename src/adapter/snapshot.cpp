#include "adapter/snapshot.hpp"

#include "platform/clock.hpp"

namespace causeway::adapter {

Snapshot take_snapshot(Fabric& fabric) {
    Snapshot snapshot;
    for (const auto& [session, partition] : fabric.partitions()) {
        if (partition->ending)
            continue;  // among those that are gone
        snapshot.partitions.push_back({partition->name, fabric.totals_of(*partition),
                                       partition->usage.queue_pairs, partition->usage.regions,
                                       partition->usage.bytes});
    }
    snapshot.gone = fabric.gone_totals();
    snapshot.partitions_gone = fabric.partitions_gone();
    for (std::uint32_t i = 0; i < fabric.mover_count(); ++i) {
        const Mover& mover = fabric.mover(i);
        const MoverFigures& figures = mover.figures();
        snapshot.movers.push_back({mover.cpu_ns(), figures.turns.load(), figures.sleeps.load(),
                                   figures.wakeups.load(), figures.given.load()});
        snapshot.latency.add(figures.latency.view());
        snapshot.size.add(figures.size.view());
    }
    snapshot.denials = fabric.denials().by_rule();
    snapshot.refused = fabric.refused();
    snapshot.own = fabric.own_figures();
    snapshot.own_memory_most = fabric.own_memory_most();
    snapshot.files_most = fabric.options().max_files;
    snapshot.uptime_ns = platform::monotonic_ns() - fabric.started_ns();
    snapshot.registered_bytes = fabric.registered_bytes();
    return snapshot;
}

}  // namespace causeway::adapter
