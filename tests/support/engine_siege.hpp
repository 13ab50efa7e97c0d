// EngineSiege: a queue pair of which one end is hostile, on plain memory, and everything that the
// hostile end must not reach: the other's secrets, what lies around all regions and rings, and a
// second queue pair of the same two partitions, which goes on.
//
// Threading: one thread steps; another may write into the hostile end's rings meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/engine_world.hpp"
#include "support/random.hpp"

namespace causeway::test {

class EngineSiege {
public:
    enum Side { left = 0, right = 1 };
    static constexpr abi::QueuePairShape kShape{8, 8, 8, 8};
    static constexpr std::uint64_t kSize = 8192;
    static constexpr std::byte kSecret[2] = {std::byte{0xe7}, std::byte{0xe8}};

    // What each partition has, always with the same handles, generations and addresses.
    struct Regions {
        TestRegion* window;     // every right
        TestRegion* read_only;  // peers may read
        TestRegion* log;        // peers may append
        TestRegion* buffer;     // no right: sources, receives
        TestRegion* secret;     // no right, never posted
    };

    EngineSiege() {
        if (!platform::install_fault_guard())
            std::abort();
        for (const Side side : {left, right}) {
            TestPartition& p = *partitions_[side];
            const std::uint64_t base = side == left ? 0x10000 : 0x7f0000000000;
            regions_[side] = {&p.add(kSize, kEveryRight, base),
                              &p.add(kSize, abi::right::kRemoteRead, 0),
                              &p.add(kSize, abi::right::kAppend, base + 0x100000),
                              &p.add(kSize, 0, base + 0x200000), &p.add(kSize, 0, base + 0x300000)};
            std::memset(regions_[side].secret->area.data(), static_cast<int>(kSecret[side]), kSize);
            memory_[side] = std::make_shared<GuardedArea>(abi::queue_pair_offsets(kShape).total,
                                                          GuardedArea::Place::at_start);
        }
        witness_from_ = &partitions_[left]->add(kSize, 0, 0x40000);
        witness_to_ = &partitions_[right]->add(kSize, kEveryRight, 0x50000);
        context.now_ns = 1000;
        context.piece = 700;
        context.copies = copies_by_size(1000, 2000);
        reset();
    }
    ~EngineSiege() { drop(); }
    EngineSiege(const EngineSiege&) = delete;
    EngineSiege& operator=(const EngineSiege&) = delete;

    // A fresh queue pair in zeroed memory, and fresh logs.
    void reset(engine::Patience patience = {}) {
        drop();
        for (const Side side : {left, right}) {
            // Word by word: another thread may be writing there.
            auto* words = reinterpret_cast<std::uint64_t*>(memory_[side]->data());
            for (std::size_t i = 0; i < memory_[side]->size() / 8; ++i) {
                __atomic_store_n(words + i, 0, __ATOMIC_RELAXED);
            }
            regions_[side].log->region.append_offset = 0;
        }
        for (const Side side : {left, right}) {
            ends_[side].emplace(*partitions_[side], memory_[side], kShape, patience);
            std::memset(static_cast<void*>(&traces_[side]), 0, sizeof(engine::Trace));
            std::memset(static_cast<void*>(&earlier_[side]), 0, sizeof(engine::Trace));
            ends_[side]->endpoint.trace = &traces_[side];
        }
        make_flows();
        blamed_.reset();
    }
    // The executor dies and another one goes on. `Died::noting`: before it had noted what its last
    // turn did.
    enum class Died { noted, noting };
    void restart(Died died) {
        for (const Side side : {left, right}) {
            flows_[side].reset();
            if (died == Died::noting)
                copy(earlier_[side], traces_[side]);
            regions_[side].log->region.append_lock = 0;
        }
        for (const Side side : {left, right}) {
            const engine::Trace& trace = traces_[side];
            engine::Region& log = regions_[1 - side].log->region;
            if (trace.append_of == trace.sends + 1 && trace.append_region == log.handle)
                log.append_offset = std::max<std::uint64_t>(log.append_offset,
                                                            trace.append_at + trace.append_length);
            ends_[side]->replace_executor();
            ends_[side]->endpoint.go_on();
        }
        make_flows();
        for (auto& flow : flows_)
            flow->go_on();
    }

    [[nodiscard]] TestEnd& end(Side side) { return *ends_[side]; }
    [[nodiscard]] const Regions& regions(Side side) const { return regions_[side]; }
    [[nodiscard]] GuardedArea& memory(Side side) { return *memory_[side]; }
    [[nodiscard]] bool closed() const noexcept { return blamed_.has_value(); }
    // Who broke the format, once closed.
    [[nodiscard]] std::optional<Side> blamed() const noexcept { return blamed_; }

    // One step of both flows; a broken pair is closed, as the mover does it. Whether any
    // progressed.
    bool turn() {
        bool progress = false;
        for (const Side side : {left, right})
            copy(traces_[side], earlier_[side]);
        for (const Side side : {left, right}) {
            if (closed())
                return false;
            const engine::Step step = flows_[side]->step(context);
            progress |= step == engine::Step::progress;
            if (step != engine::Step::broken) {
                ends_[side]->endpoint.note_sent();
                ends_[1 - side]->endpoint.note_received();
            }
            if (step == engine::Step::broken) {
                blamed_ = flows_[side]->blame() == &ends_[left]->endpoint ? left : right;
                for (auto& flow : flows_)
                    flow->abandon();
            }
        }
        context.now_ns += 100;
        return progress;
    }

    // What a well-behaved end posts: one of everything, as far as there is room.
    void post_some(Side side) {
        const Regions& own = regions_[side];
        const Regions& peer = regions_[1 - side];
        TestEnd& end = *ends_[side];
        namespace flag = abi::descriptor_flag;
        const auto segment = own.buffer->segment(100, 1500);
        const Post posts[] = {
            {.flags = flag::kSignaled | flag::kInline, .payload = {1, 2, 3, 4, 5}},
            {.segments = {segment, own.buffer->segment(3000, 33), segment}},
            {.opcode = abi::Opcode::write, .segments = {segment}, .remote = peer.window->remote(9)},
            {.opcode = abi::Opcode::write,
             .segments = {own.buffer->segment(0, 20)},
             .remote = peer.window->remote(4000),
             .flags = flag::kImmediate | flag::kFence,
             .immediate = 77},
            {.opcode = abi::Opcode::read,
             .segments = {own.buffer->segment(5000, 1200)},
             .remote = peer.read_only->remote(100)},
            {.opcode = abi::Opcode::append, .segments = {segment}, .remote = peer.log->remote()},
        };
        for (int i = 0; i < 2; ++i) {
            if (end.receives.produced() - end.endpoint.receives.consumed() < 7) {
                end.post_receive({own.buffer->segment(6000, 2000), own.buffer->segment(0, 2000)});
            }
        }
        for (int i = 0; i < 3; ++i) {
            const Post& post = posts[next_post_++ % std::size(posts)];
            const auto taken = end.endpoint.sends.consumed();
            if (end.sends.produced() - taken + post.build().size() <= kShape.send_entries) {
                end.post(post);
            }
        }
    }
    // Takes what has completed; what an honest end must never hear is returned.
    std::string take_some(Side side) {
        TestEnd& end = *ends_[side];
        while (const auto c = end.take_send()) {
            const auto status = static_cast<abi::Status>(c->status);
            if (status == abi::Status::bad_descriptor || status == abi::Status::local_length ||
                status == abi::Status::local_protection) {
                return "a send ended with status " + std::to_string(c->status);
            }
        }
        while (const auto c = end.take_receive()) {
            const auto status = static_cast<abi::Status>(c->status);
            if (status == abi::Status::bad_descriptor || status == abi::Status::local_protection) {
                return "a receive ended with status " + std::to_string(c->status);
            }
        }
        return {};
    }

    // Was anything written outside regions and rings? Empty if not.
    [[nodiscard]] std::string overrun() const {
        if (!partitions_[left]->intact() || !partitions_[right]->intact()) {
            return "something outside all regions was written";
        }
        if (!memory_[left]->intact() || !memory_[right]->intact()) {
            return "something outside the queue memory was written";
        }
        for (const Side side : {left, right}) {
            if (closed() && regions_[side].log->region.append_lock != 0) {
                return "the append lock is held by a closed queue pair";
            }
        }
        return {};
    }
    // What `attacker` has managed to do that nobody may; empty if nothing.
    [[nodiscard]] std::string damage(Side attacker) const {
        const Side other = attacker == left ? right : left;
        if (auto text = overrun(); !text.empty())
            return text;
        for (const std::byte byte : regions_[other].secret->area.bytes()) {
            if (byte != kSecret[other])
                return "the secret was overwritten";
        }
        for (const std::byte byte : regions_[other].read_only->area.bytes()) {
            if (byte != std::byte{0})
                return "the read-only region was written";
        }
        const std::string needle(16, static_cast<char>(kSecret[other]));
        for (const auto& region : partitions_[attacker]->regions) {
            if (contains(region->area, needle))
                return "the secret was read";
        }
        // Word by word: another thread may be writing there.
        std::vector<std::uint64_t> words(memory_[attacker]->size() / 8);
        const auto* at = reinterpret_cast<const std::uint64_t*>(memory_[attacker]->data());
        for (auto& word : words)
            word = __atomic_load_n(at++, __ATOMIC_RELAXED);
        if (::memmem(words.data(), words.size() * 8, needle.data(), needle.size()) != nullptr)
            return "the secret stands in the queue memory";
        return {};
    }
    // The other queue pair of the same partitions: a message, a Write and an Append go over whole.
    [[nodiscard]] std::string witness() {
        Random(++rounds_).fill(witness_from_->area.bytes());
        witness_.context.copies = context.copies;
        witness_.b.post_receive({witness_to_->segment(0, 3000)});
        const Post posts[] = {
            {.segments = {witness_from_->segment(0, 3000)}},
            {.opcode = abi::Opcode::write,
             .segments = {witness_from_->segment(3000, 3000)},
             .remote = witness_to_->remote(3000)},
        };
        for (const Post& post : posts) {
            const auto done = witness_.execute(post);
            if (!done || done->status != 0)
                return "the witness cannot send any more";
        }
        if (!witness_.b.take_receive())
            return "the witness receives nothing any more";
        if (std::memcmp(witness_from_->area.data(), witness_to_->area.data(), 6000) != 0) {
            return "the witness received something else";
        }
        return {};
    }

    engine::StepContext context;

private:
    static bool contains(const GuardedArea& area, const std::string& needle) {
        return ::memmem(area.data(), area.size(), needle.data(), needle.size()) != nullptr;
    }
    static void copy(const engine::Trace& from, engine::Trace& to) {
        std::memcpy(static_cast<void*>(&to), static_cast<const void*>(&from), sizeof to);
    }
    void make_flows() {
        flows_[left].emplace(ends_[left]->endpoint, ends_[right]->endpoint, 2);
        flows_[right].emplace(ends_[right]->endpoint, ends_[left]->endpoint, 3);
    }
    void drop() {
        for (auto& flow : flows_) {
            if (flow)
                flow->abandon();
            flow.reset();
        }
        for (auto& end : ends_)
            end.reset();
    }

    std::shared_ptr<TestPartition> partitions_[2] = {std::make_shared<TestPartition>(),
                                                     std::make_shared<TestPartition>()};
    Regions regions_[2] = {};
    std::shared_ptr<GuardedArea> memory_[2];
    std::optional<TestEnd> ends_[2];
    engine::Trace traces_[2]{};
    engine::Trace earlier_[2]{};  // as they were before the last turn
    std::optional<engine::Flow> flows_[2];
    std::optional<Side> blamed_;
    std::size_t next_post_ = 0;
    TestPair witness_{partitions_[left], partitions_[right], {}, kEngineShape, 100};
    TestRegion* witness_from_ = nullptr;
    TestRegion* witness_to_ = nullptr;
    std::uint64_t rounds_ = 0;
};

}  // namespace causeway::test
