// Queue pairs on plain memory of this process, without daemon: partitions with region tables, ends
// with their rings as a partition sees them, and the two flows between two ends.
//
// Threading: one thread, unless a test says otherwise. Everything that the engine may touch lies in
// a GuardedArea.
#pragma once

#include <algorithm>
#include <causeway/abi/control.hpp>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/flow.hpp"
#include "platform/fault_guard.hpp"
#include "support/copy_plans.hpp"
#include "support/guarded_area.hpp"

namespace causeway::test {

inline constexpr std::uint32_t kEveryRight =
    abi::right::kRemoteWrite | abi::right::kRemoteRead | abi::right::kAppend;

struct TestRegion {
    TestRegion(std::size_t size, std::uint32_t rights, std::uint64_t address,
               std::uint32_t generation, GuardedArea::Place place)
        : area(size, place) {
        region.generation = generation;
        region.rights = rights;
        region.base = area.data();
        region.length = size;
        region.address = address;
    }
    // Its bytes [offset, offset + length) as a local segment.
    [[nodiscard]] abi::DataSegment segment(std::uint64_t offset, std::uint64_t length) const {
        return {static_cast<std::uint32_t>(length), region.handle, region.address + offset};
    }
    // The place of its byte `offset`, for a peer.
    [[nodiscard]] abi::AddressSegment remote(std::uint64_t offset = 0) const {
        return {region.handle, region.generation, region.address + offset};
    }
    [[nodiscard]] std::span<std::byte> bytes(std::uint64_t offset, std::uint64_t length) const {
        return area.bytes().subspan(offset, length);
    }

    GuardedArea area;
    engine::Region region;
};

// A partition's table and regions. Removed regions stay allocated, as the table's header demands.
struct TestPartition {
    TestRegion& add(std::size_t size, std::uint32_t rights = kEveryRight,
                    std::uint64_t address = 0x10000,
                    GuardedArea::Place place = GuardedArea::Place::at_end) {
        auto region = std::make_unique<TestRegion>(size, rights, address, next_generation++, place);
        if (!table.insert(region->region))
            std::abort();
        regions.push_back(std::move(region));
        return *regions.back();
    }
    void remove(const TestRegion& region) { table.remove(region.region); }
    [[nodiscard]] bool intact() const {
        for (const auto& region : regions) {
            if (!region->area.intact())
                return false;
        }
        return true;
    }

    engine::RegionTable table;
    std::vector<std::unique_ptr<TestRegion>> regions;
    std::uint32_t next_generation = 0x9e370001;
};

// What a test posts; build() makes the descriptors of it.
struct Post {
    abi::Opcode opcode = abi::Opcode::send;
    std::vector<abi::DataSegment> segments{};
    abi::AddressSegment remote{};
    std::uint8_t flags = abi::descriptor_flag::kSignaled;
    std::uint32_t immediate = 0;
    std::vector<std::uint8_t> payload{};  // with kInline

    [[nodiscard]] std::vector<abi::Descriptor> build() const {
        namespace flag = abi::descriptor_flag;
        std::vector<abi::Descriptor> chain(1);
        abi::Descriptor& head = chain[0];
        head.control.opcode = static_cast<std::uint8_t>(opcode);
        head.control.flags = flags;
        head.control.immediate = immediate;
        head.address = remote;
        if ((flags & flag::kInline) != 0) {
            head.control.segments = static_cast<std::uint8_t>(payload.size());
            std::copy(payload.begin(), payload.end(), head.payload);
            return chain;
        }
        for (std::size_t i = 0; i < segments.size(); ++i) {
            if (i != 0 && i % abi::kMaxDataSegments == 0) {
                chain.back().control.flags |= flag::kMore;
                abi::Descriptor next{};
                next.control.opcode = static_cast<std::uint8_t>(opcode);
                chain.push_back(next);
            }
            abi::Descriptor& last = chain.back();
            last.data[last.control.segments++] = segments[i];
        }
        return chain;
    }
};

inline constexpr abi::QueuePairShape kEngineShape{16, 16, 16, 16};

// One end, with the rings as its partition holds them.
class TestEnd {
public:
    explicit TestEnd(TestPartition& partition, const abi::QueuePairShape& shape = kEngineShape,
                     engine::Patience patience = {})
        : TestEnd(partition,
                  std::make_shared<GuardedArea>(abi::queue_pair_offsets(shape).total,
                                                GuardedArea::Place::at_start),
                  shape, patience) {}
    // In memory that was used before, as it stands.
    TestEnd(TestPartition& partition, std::shared_ptr<GuardedArea> where,
            const abi::QueuePairShape& shape, engine::Patience patience = {})
        : owner(std::move(where)),
          memory(*owner),
          view(memory.data(), shape),
          endpoint(view, partition.table, patience),
          sends(view.send_producer()),
          receives(view.receive_producer()),
          send_completions(view.send_completions()),
          receive_completions(view.receive_completions()) {}

    // Another executor in the place of this one, as it is made.
    void replace_executor() {
        const engine::RegionTable* const regions = endpoint.regions;
        const engine::Patience patience = endpoint.patience;
        const std::uint32_t number = endpoint.number;
        engine::Trace* const trace = endpoint.trace;
        std::destroy_at(&endpoint);
        std::construct_at(&endpoint, view, *regions, patience);
        endpoint.number = number;
        endpoint.trace = trace;
    }

    void post(const Post& what) {
        auto chain = what.build();
        if (what.opcode == abi::Opcode::receive) {
            receives.publish(std::span(chain));
        } else {
            sends.publish(std::span(chain));
        }
    }
    void post_receive(std::initializer_list<abi::DataSegment> segments) {
        post({.opcode = abi::Opcode::receive, .segments = segments, .flags = 0});
    }
    // The next completion; the index that the engine sees follows at once.
    std::optional<abi::Completion> take_send() {
        return take(send_completions, view.layout().send_completions_read);
    }
    std::optional<abi::Completion> take_receive() {
        return take(receive_completions, view.layout().receive_completions_read);
    }

    std::shared_ptr<GuardedArea> owner;
    GuardedArea& memory;
    shm::QueuePairView view;
    engine::Endpoint endpoint;
    shm::DescriptorProducer sends;
    shm::DescriptorProducer receives;
    shm::CompletionConsumer send_completions;
    shm::CompletionConsumer receive_completions;

private:
    static std::optional<abi::Completion> take(shm::CompletionConsumer& ring,
                                               std::atomic<std::uint64_t>& read) {
        abi::Completion completion;
        if (!ring.peek(completion))
            return std::nullopt;
        ring.advance();
        read.store(ring.consumed(), std::memory_order_release);
        return completion;
    }
};

// Two partitions and a queue pair between them.
struct TestPair {
    explicit TestPair(engine::Patience patience = {},
                      const abi::QueuePairShape& shape = kEngineShape, std::uint64_t id = 2)
        : TestPair(std::make_shared<TestPartition>(), std::make_shared<TestPartition>(), patience,
                   shape, id) {}
    TestPair(std::shared_ptr<TestPartition> partition_a, std::shared_ptr<TestPartition> partition_b,
             engine::Patience patience = {}, const abi::QueuePairShape& shape = kEngineShape,
             std::uint64_t id = 2)
        : pa(std::move(partition_a)),
          pb(std::move(partition_b)),
          a(*pa, shape, patience),
          b(*pb, shape, patience),
          ab(a.endpoint, b.endpoint, id),
          ba(b.endpoint, a.endpoint, id + 1) {
        if (!platform::install_fault_guard())
            std::abort();
        context.now_ns = 1000;
        context.copies = copies_by_size(128 << 10, 512 << 10);
    }

    engine::Step step() { return ab.step(context); }
    // Steps a's flow until it makes no progress; what it said last.
    engine::Step run() {
        engine::Step last;
        do
            last = ab.step(context);
        while (last == engine::Step::progress);
        return last;
    }
    // Posts on a's side, runs, and takes the sender's completion.
    std::optional<abi::Completion> execute(const Post& what) {
        a.post(what);
        (void)run();
        return a.take_send();
    }
    [[nodiscard]] bool intact() const {
        return pa->intact() && pb->intact() && a.memory.intact() && b.memory.intact();
    }

    std::shared_ptr<TestPartition> pa;
    std::shared_ptr<TestPartition> pb;
    TestEnd a;
    TestEnd b;
    engine::Flow ab;
    engine::Flow ba;
    engine::StepContext context;
};

}  // namespace causeway::test
