// MortalPair: a queue pair whose executor dies between any two of the stores of a step, and another
// one that goes on on the same memory.
//
// A step is executed whole; then memory is set back to what it would be if the executor had been
// killed after the first so many of its stores. The order of the stores is that of the code: see
// Stage.
//
// Threading: one thread.
#pragma once

#include <causeway/abi/append_log.hpp>

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "support/engine_world.hpp"
#include "support/random.hpp"

namespace causeway::test {

// After which of its stores an executor dies.
enum class Stage : std::uint8_t {
    nothing,
    append_noted,
    record_reserved,
    hint_moved,
    data_in_part,
    data,
    receive_chain,
    receive_chain_noted,
    receive_body,
    received,
    append_ended,
    send_chain,
    send_chain_noted,
    send_body,
    sent,
    failure_noted,
    sends_noted,
    send_completions_noted,
    receives_noted,
    everything,
};
inline constexpr int kStages = static_cast<int>(Stage::everything) + 1;

class MortalPair {
public:
    explicit MortalPair(const abi::QueuePairShape& shape) : shape_(shape) {
        if (!platform::install_fault_guard())
            std::abort();
        context.now_ns = 1000;
        context.copies = copies_by_size(128 << 10, 512 << 10);
        for (int side = 0; side < 2; ++side)
            ends_[side] = std::make_unique<TestEnd>(partitions_[side], shape_);
        live();
    }

    // What partitions do; the executor is not theirs.
    [[nodiscard]] TestPartition& partition(int side) { return partitions_[side]; }
    [[nodiscard]] TestEnd& end(int side) { return *ends_[side]; }
    [[nodiscard]] const abi::QueuePairShape& shape() const { return shape_; }
    [[nodiscard]] static std::uint32_t number(int side) { return side == 0 ? 0xa7 : 0xfe'd00d01; }

    // A step of the flow from `side`, as a mover makes and notes it.
    engine::Step step(int side) {
        const engine::Step step = flows_[side]->step(context);
        if (step == engine::Step::idle || step == engine::Step::broken)
            return step;
        endpoints_[side]->note_sent();
        endpoints_[1 - side]->note_received();
        return step;
    }
    void publish_taken() {
        for (auto& endpoint : endpoints_)
            endpoint->publish_taken_lazily();
    }

    // A step of which only the stores up to `stage` are made, then the executor is dead.
    void step_and_die(int side, Stage stage, Random& random) {
        cut(side, stage, random, [&] { (void)step(side); });
    }
    // Another executor takes its place, and may die over it: `die` says after which store, for each
    // flow; it is asked until it says none.
    void rise(Random& random, const std::function<std::optional<Stage>()>& die) {
        for (;;) {
            live();
            keep_places();
            for (auto& endpoint : endpoints_)
                endpoint->go_on();
            bool alive = true;
            for (int side = 0; side < 2 && alive; ++side) {
                if (const auto stage = die()) {
                    cut(side, *stage, random, [&] { flows_[side]->go_on(); });
                    alive = false;
                } else {
                    flows_[side]->go_on();
                }
            }
            if (alive)
                return;
        }
    }
    [[nodiscard]] engine::Flow& flow(int side) { return *flows_[side]; }
    [[nodiscard]] const engine::Endpoint& endpoint(int side) const { return *endpoints_[side]; }

    [[nodiscard]] bool intact() const {
        return partitions_[0].intact() && partitions_[1].intact() && ends_[0]->memory.intact() &&
               ends_[1]->memory.intact();
    }

    engine::StepContext context;

private:
    using Bytes = std::vector<std::byte>;
    struct Snapshot {
        Bytes queue[2];
        Bytes trace[2];
        std::vector<Bytes> regions[2];
        std::vector<std::uint64_t> offsets[2];
    };

    // Endpoints and flows as they are made, on whatever the memory holds.
    void live() {
        for (auto& flow : flows_)
            flow.reset();
        for (int side = 0; side < 2; ++side) {
            for (const auto& region : partitions_[side].regions)
                region->region.append_lock = 0;
            endpoints_[side].emplace(ends_[side]->view, partitions_[side].table,
                                     engine::Patience{});
            endpoints_[side]->number = number(side);
            endpoints_[side]->trace = &traces_[side];
        }
        flows_[0].emplace(*endpoints_[0], *endpoints_[1], 2);
        flows_[1].emplace(*endpoints_[1], *endpoints_[0], 3);
    }

    // As the fabric does it.
    void keep_places() {
        for (int side = 0; side < 2; ++side) {
            const engine::Trace& trace = traces_[side];
            const auto handle = static_cast<std::uint32_t>(trace.append_region.load());
            engine::Region* const region = partitions_[1 - side].table.find(handle);
            if (trace.append_of != trace.sends + 1 || region == nullptr ||
                (region->rights & abi::right::kExportable) != 0)
                continue;
            region->append_offset = std::max<std::uint64_t>(region->append_offset,
                                                            trace.append_at + trace.append_length);
        }
    }

    [[nodiscard]] static Bytes bytes_of(std::span<const std::byte> bytes) {
        return {bytes.begin(), bytes.end()};
    }
    [[nodiscard]] Snapshot take() const {
        Snapshot now;
        for (int side = 0; side < 2; ++side) {
            now.queue[side] = bytes_of(ends_[side]->memory.bytes());
            now.trace[side] = bytes_of(std::as_bytes(std::span(&traces_[side], 1)));
            for (const auto& region : partitions_[side].regions) {
                now.regions[side].push_back(bytes_of(region->area.bytes()));
                now.offsets[side].push_back(region->region.append_offset);
            }
        }
        return now;
    }
    void put(const Snapshot& then) {
        for (int side = 0; side < 2; ++side) {
            std::memcpy(ends_[side]->memory.data(), then.queue[side].data(),
                        then.queue[side].size());
            std::memcpy(static_cast<void*>(&traces_[side]), then.trace[side].data(),
                        sizeof(engine::Trace));
            for (std::size_t i = 0; i < partitions_[side].regions.size(); ++i) {
                const auto& region = partitions_[side].regions[i];
                if (!then.regions[side][i].empty())
                    std::memcpy(region->area.data(), then.regions[side][i].data(),
                                then.regions[side][i].size());
                region->region.append_offset = then.offsets[side][i];
            }
        }
    }

    // Executes `what` of the flow from `from`, and leaves of it what was stored up to `stage`.
    void cut(int from, Stage stage, Random& random, const std::function<void()>& what) {
        const Snapshot before = take();
        what();
        const Snapshot after = take();
        put(before);
        const int to = 1 - from;
        const auto reached = [stage](Stage needed) { return stage >= needed; };
        const auto noted = [&](int side, std::atomic<std::uint64_t> engine::Trace::*field) {
            const auto offset = reinterpret_cast<std::byte*>(&(traces_[side].*field)) -
                                reinterpret_cast<std::byte*>(&traces_[side]);
            std::uint64_t value = 0;
            std::memcpy(&value, after.trace[side].data() + offset, sizeof value);
            traces_[side].*field = value;
        };
        using engine::Trace;
        if (reached(Stage::append_noted)) {
            for (const auto field : {&Trace::append_region, &Trace::append_at,
                                     &Trace::append_length, &Trace::append_of})
                noted(from, field);
        }
        put_data(before, after, from, stage, random);
        if (reached(Stage::receive_chain))
            noted(to, &Trace::chain);
        if (reached(Stage::receive_chain_noted))
            noted(to, &Trace::chain_at);
        const auto offsets = abi::queue_pair_offsets(shape_);
        put_ring(after, to, offsets.receive_completions, shape_.receive_completion_entries,
                 reached(Stage::receive_body), reached(Stage::received));
        if (reached(Stage::send_chain))
            noted(from, &Trace::send_chain);
        if (reached(Stage::send_chain_noted))
            noted(from, &Trace::send_chain_at);
        put_ring(after, from, offsets.send_completions, shape_.send_completion_entries,
                 reached(Stage::send_body), reached(Stage::sent));
        if (reached(Stage::failure_noted))
            noted(from, &Trace::failed);
        if (reached(Stage::sends_noted))
            noted(from, &Trace::sends);
        if (reached(Stage::send_completions_noted))
            noted(from, &Trace::send_completions);
        if (reached(Stage::receives_noted))
            noted(to, &Trace::receives);
        if (reached(Stage::everything))
            noted(to, &Trace::receive_completions);
    }
    // The slots of a ring that have changed: all but the first word, or that too.
    void put_ring(const Snapshot& after, int side, std::uint64_t at, std::uint32_t entries,
                  bool body, bool whole) {
        const std::size_t first = whole ? 0 : 8;
        for (std::uint32_t i = 0; i < entries && body; ++i) {
            const std::size_t slot = at + std::size_t{i} * abi::kCacheLine;
            std::memcpy(ends_[side]->memory.data() + slot + first,
                        after.queue[side].data() + slot + first, abi::kCacheLine - first);
        }
    }
    // What a step did to regions, whose bytes and offsets are as before.
    void put_data(const Snapshot& before, const Snapshot& after, int from, Stage stage,
                  Random& random) {
        for (int side = 0; side < 2; ++side) {
            for (std::size_t i = 0; i < partitions_[side].regions.size(); ++i) {
                TestRegion& region = *partitions_[side].regions[i];
                const Bytes& old = before.regions[side][i];
                const Bytes& all = after.regions[side][i];
                const bool log = (region.region.rights & abi::right::kExportable) != 0;
                std::uint64_t header = 0;
                const std::uint64_t at = record_at(after, from, side, region);
                if (at != UINT64_MAX) {
                    std::memcpy(&header, old.data() + at, sizeof header);
                    if (header == 0) {
                        std::memcpy(&header, all.data() + at, sizeof header);
                        header = abi::record_header(
                            abi::record_length(header), abi::record_writer(header),
                            header == 0 ? abi::RecordState::free : abi::RecordState::reserved);
                    }
                }
                std::size_t bytes = 0;
                if (stage >= Stage::data)
                    bytes = all.size();
                else if (stage >= Stage::data_in_part)
                    bytes = random.below(all.size() + 1);
                if (bytes != 0)
                    std::memcpy(region.area.data(), all.data(), bytes);
                if (at != UINT64_MAX) {
                    const std::byte* const word = stage >= Stage::append_ended ? all.data() + at
                                                  : stage >= Stage::record_reserved
                                                      ? reinterpret_cast<std::byte*>(&header)
                                                      : old.data() + at;
                    std::memcpy(region.area.data() + at, word, sizeof header);
                }
                if (stage >= (log ? Stage::hint_moved : Stage::append_ended))
                    region.region.append_offset = after.offsets[side][i];
            }
        }
    }
    // Where in this region the record under way begins; UINT64_MAX: there is none.
    [[nodiscard]] std::uint64_t record_at(const Snapshot& after, int from, int side,
                                          const TestRegion& region) const {
        alignas(engine::Trace) std::byte raw[sizeof(engine::Trace)];
        std::memcpy(raw, after.trace[from].data(), sizeof raw);
        const auto& trace = *reinterpret_cast<const engine::Trace*>(raw);
        const bool here = side != from && trace.append_of != 0 &&
                          trace.append_region == region.region.handle &&
                          (region.region.rights & abi::right::kExportable) != 0;
        return here ? trace.append_at - abi::kRecordHeader : UINT64_MAX;
    }

    const abi::QueuePairShape shape_;
    TestPartition partitions_[2];
    std::unique_ptr<TestEnd> ends_[2];
    engine::Trace traces_[2]{};
    std::optional<engine::Endpoint> endpoints_[2];
    std::optional<engine::Flow> flows_[2];
};

}  // namespace causeway::test
