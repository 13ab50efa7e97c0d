// Executors that die at any store of any step, and others that go on: every descriptor is executed
// as if nobody had died, and everybody hears of it once.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <vector>

#include "support/random.hpp"
#include "unit/engine/flow_expect.hpp"
#include "unit/engine/flow_model.hpp"
#include "unit/engine/mortal_pair.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using abi::Status;

struct ExpectedSend {
    std::uint64_t sequence;
    std::uint32_t descriptors;
    Opcode opcode;
    Status status;
    std::uint64_t length;
    std::uint64_t offset;
    bool heard;  // signaled, or failed
};

struct ExpectedReceive {
    std::uint64_t sequence;
    Status status;
    Opcode opcode;
    std::uint64_t length;
    bool immediate;
    std::uint32_t value;  // of the immediate
    bool small;
    std::vector<std::byte> payload;
};

// One end: what its partition is going to post, and what it must hear of.
struct Plan {
    std::deque<Post> sends;
    std::deque<Post> receives;
    std::deque<ExpectedSend> ends;
    std::deque<ExpectedReceive> arrivals;
    std::deque<std::uint32_t> receive_chains;  // of those that are posted or to be
    std::uint64_t next_sequence = 0;
    std::uint64_t sends_freed = 0;
    std::uint64_t receives_freed = 0;
    bool failed = false;  // a send since the last fence
    std::uint64_t heard = 0;
};

// Every region belongs to one direction, so what one does is no matter of how far the other is.
class Player {
public:
    Player(std::uint64_t seed, const abi::QueuePairShape& shape, bool simple)
        : random_(seed), pair_(shape), simple_(simple) {
        constexpr std::uint32_t kWindow = abi::right::kRemoteWrite | abi::right::kRemoteRead;
        for (int side = 0; side < 2; ++side) {
            model_[side].writer = MortalPair::number(side);
            for (const std::uint64_t size : {300, 9000})
                add(side, size, 0, sources_[side]);
            add(side, 9000, 0, targets_[side]);
            add(side, 9000, kWindow, targets_[side]);
            add(side, 500, kWindow, targets_[side]);
            add(side, 60'000, abi::right::kAppend, targets_[side]);
            add(side, 60'000, abi::right::kAppend | abi::right::kExportable, targets_[side]);
        }
    }

    void play(int rounds, int operations) {
        for (int round = 0; round < rounds; ++round) {
            for (int side = 0; side < 2; ++side) {
                for (int i = 0; i < operations; ++i)
                    plan(side);
            }
            ASSERT_NO_FATAL_FAILURE(run()) << "round " << round;
            for (const ModelPartition& partition : model_) {
                for (const auto& entry : partition.regions) {
                    ASSERT_TRUE(same(entry.real->area.bytes(), entry.bytes)) << "round " << round;
                    ASSERT_EQ(entry.real->region.append_lock.load(), 0U);
                    if (!framed(entry.real->region.rights)) {
                        ASSERT_EQ(entry.real->region.append_offset.load(), entry.append_offset);
                    }
                }
            }
        }
        EXPECT_TRUE(pair_.intact());
    }
    [[nodiscard]] int deaths(Stage stage) const { return deaths_[static_cast<int>(stage)]; }
    [[nodiscard]] int seen(Status status) const { return seen_[static_cast<int>(status)]; }

private:
    void add(int side, std::uint64_t size, std::uint32_t rights, std::vector<std::size_t>& list) {
        const TestRegion& real =
            pair_.partition(side).add(size, rights, random_.below(3) * 0x10000);
        if (!framed(rights))
            random_.fill(real.area.bytes());
        list.push_back(model_[side].regions.size());
        model_[side].regions.push_back({&real, bytes_of(real)});
    }
    static std::vector<std::byte> bytes_of(const TestRegion& region) {
        return {region.area.bytes().begin(), region.area.bytes().end()};
    }

    // ---- planning

    std::vector<abi::DataSegment> segments(int side, const std::vector<std::size_t>& among,
                                           std::uint32_t entries) {
        const std::uint64_t most = std::min(entries, abi::kMaxChain) * abi::kMaxDataSegments;
        std::vector<abi::DataSegment> list(random_.one_in(4) ? random_.below(most + 1)
                                                             : random_.below(4));
        for (auto& segment : list) {
            // Not into logs: what stands there is for Appends.
            const auto& entry =
                model_[side].regions[among[random_.below(std::min<std::size_t>(among.size(), 3))]];
            const std::uint64_t offset = random_.below(entry.bytes.size());
            const std::uint64_t cap = random_.pick({8UL, 40UL, 900UL});
            segment = entry.real->segment(
                offset, random_.below(std::min(entry.bytes.size() - offset, cap) + 1));
            if (random_.one_in(60))
                segment.handle ^= 1U << random_.below(32);
        }
        return list;
    }
    void plan_receive(int side) {
        Post receive{.opcode = Opcode::receive, .segments = {}, .flags = 0};
        if (simple_) {
            const auto& entry = model_[side].regions[targets_[side][0]];
            receive.segments = {entry.real->segment(random_.below(1000), 40 + random_.below(4000))};
        } else {
            receive.segments = segments(side, targets_[side], pair_.shape().receive_entries);
        }
        model_[side].receives.push_back(receive.segments);
        plans_[side].receive_chains.push_back(static_cast<std::uint32_t>(receive.build().size()));
        plans_[side].receives.push_back(receive);
    }
    Post make_post(int side) {
        constexpr Opcode kOpcodes[] = {Opcode::send, Opcode::send,   Opcode::write, Opcode::read,
                                       Opcode::nop,  Opcode::append, Opcode::append};
        Post post{.opcode = random_.pick(kOpcodes), .segments = {}, .flags = 0};
        if (random_.one_in(2))
            post.flags |= flag::kSignaled;
        if (random_.one_in(6))
            post.flags |= flag::kFence;
        if (post.opcode == Opcode::nop)
            return post;
        if (post.opcode != Opcode::read && random_.one_in(4)) {
            post.flags |= flag::kInline;
            post.payload.resize(random_.below(33));
            for (auto& byte : post.payload)
                byte = static_cast<std::uint8_t>(random_.next());
        } else {
            post.segments = segments(side, sources_[side], pair_.shape().send_entries);
        }
        if ((post.opcode == Opcode::send || post.opcode == Opcode::write) && random_.one_in(3)) {
            post.flags |= flag::kImmediate;
            post.immediate = static_cast<std::uint32_t>(random_.next());
        }
        if (post.opcode != Opcode::send) {
            const auto& list = targets_[1 - side];
            const bool append = post.opcode == Opcode::append;
            const auto& entry =
                model_[1 - side].regions[list[append ? 3 + random_.below(2) : random_.below(3)]];
            post.remote = entry.real->remote(random_.below(entry.bytes.size() / 2));
            if (random_.one_in(30))
                post.remote.generation ^= 1;
        }
        return post;
    }
    void plan(int side) {
        Plan& own = plans_[side];
        Plan& peer = plans_[1 - side];
        const Post post = make_post(side);
        const bool fenced = (post.flags & flag::kFence) != 0 && own.failed;
        if (model_[1 - side].receives.empty()) {
            for (std::uint64_t i = 1 + random_.below(3); i > 0; --i)
                plan_receive(1 - side);
        }
        std::vector<std::byte> message;
        if (post.opcode == Opcode::send && model_[side].valid(post.segments))
            message = model_[side].gather(post.segments);
        const auto in_line = std::as_bytes(std::span(post.payload));
        message.insert(message.end(), in_line.begin(), in_line.end());
        Expected expected;
        if (fenced)
            expected.sender = Status::flushed;
        else if (post.opcode != Opcode::nop)
            expected = execute(model_[side], model_[1 - side], post);
        if (expected.sender != Status::success)
            own.failed = !fenced;
        ++seen_[static_cast<int>(expected.sender)];
        const auto descriptors = static_cast<std::uint32_t>(post.build().size());
        const bool success = expected.sender == Status::success;
        own.ends.push_back({own.next_sequence, descriptors, post.opcode, expected.sender,
                            expected.length, success ? expected.offset : UINT64_MAX,
                            !success || (post.flags & flag::kSignaled) != 0});
        if (expected.receiver_hears) {
            const bool whole = expected.receiver == Status::success;
            const bool small =
                whole && post.opcode == Opcode::send && expected.length <= abi::kMaxInline;
            const bool immediate = whole && (post.flags & flag::kImmediate) != 0;
            peer.arrivals.push_back({own.next_sequence, expected.receiver,
                                     post.opcode == Opcode::write ? Opcode::write : Opcode::receive,
                                     whole ? expected.length : 0, immediate,
                                     immediate ? post.immediate : 0, small,
                                     small ? message : std::vector<std::byte>{}});
        }
        own.next_sequence += descriptors;
        own.sends.push_back(post);
    }

    // ---- what a partition does: takes what has completed, and posts where there is room

    void take_sends(int side) {
        Plan& plan = plans_[side];
        TestEnd& end = pair_.end(side);
        while (const auto found = end.take_send()) {
            while (!plan.ends.empty() && !plan.ends.front().heard &&
                   plan.ends.front().sequence < found->sequence)
                free_send(plan);
            ASSERT_FALSE(plan.ends.empty()) << "nothing is left that could end";
            const ExpectedSend& expected = plan.ends.front();
            ASSERT_EQ(found->sequence, expected.sequence);
            ASSERT_TRUE(expected.heard);
            ASSERT_EQ(status_of(found), expected.status);
            ASSERT_EQ(opcode_of(found), expected.opcode);
            ASSERT_EQ(found->length, expected.length);
            ASSERT_EQ(found->slot, expected.sequence % pair_.shape().send_entries);
            if (expected.offset != UINT64_MAX) {
                ASSERT_EQ(found->offset, expected.offset);
            }
            free_send(plan);
        }
        // The silent ones of which the executor says that they are over.
        const std::uint64_t taken = end.view.layout().send_taken;
        if (!end.send_completions.ready()) {
            while (!plan.ends.empty() && !plan.ends.front().heard &&
                   plan.ends.front().sequence + plan.ends.front().descriptors <= taken)
                free_send(plan);
        }
    }
    static void free_send(Plan& plan) {
        plan.sends_freed = plan.ends.front().sequence + plan.ends.front().descriptors;
        plan.ends.pop_front();
    }
    void take_receives(int side) {
        Plan& plan = plans_[side];
        TestEnd& end = pair_.end(side);
        while (const auto found = end.take_receive()) {
            ASSERT_FALSE(plan.arrivals.empty()) << "nothing is left that could arrive";
            const ExpectedReceive& expected = plan.arrivals.front();
            ASSERT_EQ(found->sequence, expected.sequence);
            ASSERT_EQ(status_of(found), expected.status);
            ASSERT_EQ(opcode_of(found), expected.opcode);
            ASSERT_EQ(found->length, expected.length);
            ASSERT_EQ((found->flags & abi::completion_flag::kImmediate) != 0, expected.immediate);
            ASSERT_EQ(found->immediate, expected.value);
            ASSERT_EQ((found->flags & abi::completion_flag::kPayload) != 0, expected.small);
            ASSERT_EQ(found->slot, plan.receives_freed % pair_.shape().receive_entries);
            if (expected.small) {
                ASSERT_TRUE(same(std::as_bytes(std::span(found->payload)).first(found->length),
                                 expected.payload));
            }
            plan.arrivals.pop_front();
            plan.receives_freed += plan.receive_chains.front();
            plan.receive_chains.pop_front();
        }
    }
    void work(int side) {
        Plan& plan = plans_[side];
        TestEnd& end = pair_.end(side);
        if (!random_.one_in(4)) {
            ASSERT_NO_FATAL_FAILURE(take_sends(side));
        }
        if (!random_.one_in(4)) {
            ASSERT_NO_FATAL_FAILURE(take_receives(side));
        }
        for (std::uint64_t i = random_.below(5); i > 0 && !plan.sends.empty(); --i) {
            if (end.sends.produced() - plan.sends_freed + plan.sends.front().build().size() >
                pair_.shape().send_entries)
                break;
            end.post(plan.sends.front());
            plan.sends.pop_front();
        }
        for (std::uint64_t i = random_.below(5); i > 0 && !plan.receives.empty(); --i) {
            if (end.receives.produced() - plan.receives_freed +
                    plan.receives.front().build().size() >
                pair_.shape().receive_entries)
                break;
            end.post(plan.receives.front());
            plan.receives.pop_front();
            if (simple_) {
                end.view.layout().simple_room = abi::kMaxInline;
                end.view.layout().simple_receives = end.receives.produced();
            }
        }
    }

    // ---- the executors

    [[nodiscard]] Stage fate() {
        const auto stage = static_cast<Stage>(random_.below(kStages));
        ++deaths_[static_cast<int>(stage)];
        return stage;
    }
    [[nodiscard]] bool done() {
        for (int side = 0; side < 2; ++side) {
            const Plan& plan = plans_[side];
            const bool heard = std::none_of(plan.ends.begin(), plan.ends.end(),
                                            [](const ExpectedSend& end) { return end.heard; });
            if (!plan.sends.empty() || !heard || !plan.arrivals.empty() ||
                pair_.endpoint(side).sends.consumed() != plan.next_sequence)
                return false;
        }
        return true;
    }
    void run() {
        for (int turns = 0; !done(); ++turns) {
            ASSERT_LT(turns, 200'000) << "it does not come to an end";
            pair_.context.piece = random_.pick({64UL, 1000UL, 4096UL});
            for (int side = 0; side < 2; ++side) {
                if (random_.one_in(3)) {
                    ASSERT_NO_FATAL_FAILURE(work(side));
                }
            }
            const int side = static_cast<int>(random_.below(2));
            if (!random_.one_in(4)) {
                ASSERT_NE(pair_.step(side), engine::Step::broken);
                if (random_.one_in(2))
                    pair_.publish_taken();
                continue;
            }
            pair_.step_and_die(side, fate(), random_);
            for (int partition = 0; partition < 2; ++partition) {
                if (random_.one_in(2)) {
                    ASSERT_NO_FATAL_FAILURE(work(partition));
                }
            }
            pair_.rise(random_, [this]() -> std::optional<Stage> {
                return random_.one_in(6) ? std::optional(fate()) : std::nullopt;
            });
        }
        for (int side = 0; side < 2; ++side) {
            ASSERT_FALSE(pair_.end(side).take_send().has_value());
            ASSERT_FALSE(pair_.end(side).take_receive().has_value());
            while (!plans_[side].ends.empty())
                free_send(plans_[side]);
        }
    }

    Random random_;
    MortalPair pair_;
    const bool simple_;  // every receive is one entry with room for what travels in completions
    ModelPartition model_[2];
    std::vector<std::size_t> sources_[2];  // of the direction from here
    std::vector<std::size_t> targets_[2];  // of the direction to here; the last two are logs
    Plan plans_[2];
    int deaths_[kStages] = {};
    int seen_[abi::kStatusCount] = {};
};

class GoOn : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, GoOn, testing::Range<std::uint64_t>(1, 13));

TEST_P(GoOn, IsAsIfNobodyHadDied) {
    const std::uint64_t seed = GetParam();
    const std::uint32_t entries = seed % 3 == 0 ? 4 : seed % 3 == 1 ? 8 : 16;
    Player player(seed, {entries, entries, entries, entries}, seed % 4 == 0);
    ASSERT_NO_FATAL_FAILURE(player.play(12, 60));
    for (int stage = 0; stage < kStages; ++stage)
        EXPECT_NE(player.deaths(static_cast<Stage>(stage)), 0) << "stage " << stage;
    for (const Status status :
         {Status::success, Status::local_protection, Status::remote_access, Status::flushed})
        EXPECT_NE(player.seen(status), 0) << "status " << static_cast<int>(status);
}

// Whoever breaks the format loses the queue pair, also where the executor that found it is dead.
TEST(GoOn, WhatWasBrokenStaysSo) {
    for (int stage = 0; stage < kStages; ++stage) {
        for (const bool by_sender : {true, false}) {
            Random random(1);
            MortalPair pair({8, 8, 8, 8});
            const TestRegion& from = pair.partition(0).add(100, 0);
            Post send{.segments = {from.segment(0, 50)}};
            Post receive{.opcode = Opcode::receive, .segments = {}, .flags = 0};
            (by_sender ? send : receive).flags = 0x80;  // no such flag
            pair.end(1).post(receive);
            pair.end(0).post(send);
            pair.step_and_die(0, static_cast<Stage>(stage), random);
            pair.rise(random, [] { return std::nullopt; });
            pair.rise(random, [] { return std::nullopt; });
            EXPECT_EQ(pair.step(0), engine::Step::broken) << "stage " << stage;
            EXPECT_EQ(pair.flow(0).blame(), &pair.endpoint(by_sender ? 0 : 1));
            const auto told = by_sender ? pair.end(0).take_send() : pair.end(1).take_receive();
            EXPECT_STATUS(told, bad_descriptor);
            EXPECT_FALSE(pair.end(0).take_send().has_value());
            EXPECT_FALSE(pair.end(1).take_receive().has_value());
        }
    }
}

}  // namespace
}  // namespace causeway::test
