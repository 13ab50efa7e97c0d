// Moves in pieces: regions that go in between, and memory that is not there any more.
#include <gtest/gtest.h>

#include <cstring>

#include "unit/engine/flow_expect.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using engine::Step;

constexpr std::uint64_t kSize = 64 << 10;

class FlowPieces : public testing::Test {
protected:
    FlowPieces() {
        pair.context.piece = 4096;
        Random(5).fill(ra.area.bytes());
        Random(6).fill(rb.area.bytes());
    }
    ~FlowPieces() override {
        ra.area.allow();
        rb.area.allow();
        EXPECT_TRUE(pair.intact());
    }
    Post send(std::uint64_t n) { return {.segments = {ra.segment(0, n)}}; }
    Post write(std::uint64_t n) {
        return {.opcode = Opcode::write, .segments = {ra.segment(0, n)}, .remote = rb.remote()};
    }
    Post read(std::uint64_t n) {
        return {.opcode = Opcode::read, .segments = {ra.segment(0, n)}, .remote = rb.remote()};
    }
    std::optional<abi::Completion> finish() {
        (void)pair.run();
        return pair.a.take_send();
    }
    void expect_alive() {
        ra.area.allow();
        rb.area.allow();
        TestRegion& from = pair.pa->add(5000);
        TestRegion& to = pair.pb->add(5000);
        Random(7).fill(from.area.bytes());
        EXPECT_STATUS(pair.execute({.opcode = Opcode::write,
                                    .segments = {from.segment(0, 5000)},
                                    .remote = to.remote()}),
                      success);
        EXPECT_TRUE(same(from.area.bytes(), to.area.bytes()));
    }

    TestPair pair;
    TestRegion& ra = pair.pa->add(kSize, kEveryRight, 0x7f0000000000, GuardedArea::Place::at_start);
    TestRegion& rb = pair.pb->add(kSize, kEveryRight, 0x10000, GuardedArea::Place::at_start);
};

TEST_F(FlowPieces, OneStepMovesOnePiece) {
    std::memset(rb.area.data(), 0, kSize);
    pair.a.post(write(10'000));
    EXPECT_EQ(pair.step(), Step::progress);
    EXPECT_TRUE(same(rb.bytes(0, 4096), ra.bytes(0, 4096)));
    EXPECT_TRUE(all_zero(rb.bytes(4096, 10'000)));
    EXPECT_FALSE(pair.a.take_send().has_value());
    EXPECT_EQ(pair.step(), Step::progress);
    EXPECT_TRUE(all_zero(rb.bytes(8192, 10'000)));
    EXPECT_EQ(pair.step(), Step::progress);
    EXPECT_STATUS(pair.a.take_send(), success);
    EXPECT_TRUE(same(rb.bytes(0, 10'000), ra.bytes(0, 10'000)));
    EXPECT_EQ(pair.step(), Step::idle);
}

TEST_F(FlowPieces, PiecesCutThroughManySegments) {
    pair.context.piece = 100;
    Post gather{.segments = {}};
    std::vector<std::byte> message;
    for (std::uint32_t i = 0; i < 32; ++i) {
        gather.segments.push_back(ra.segment(i * 500, 37 + i));
        const auto bytes = ra.bytes(i * 500, 37 + i);
        message.insert(message.end(), bytes.begin(), bytes.end());
    }
    pair.b.post_receive({rb.segment(7, 333), rb.segment(9000, 5000)});
    EXPECT_STATUS(pair.execute(gather), success);
    EXPECT_TRUE(same(rb.bytes(7, 333), std::span(message).first(333)));
    EXPECT_TRUE(same(rb.bytes(9000, message.size() - 333), std::span(message).subspan(333)));
}

// Each party's region is removed after the first piece; nothing moves after that.
TEST_F(FlowPieces, SourceRemovedBetweenPieces) {
    pair.a.post(write(20'000));
    EXPECT_EQ(pair.step(), Step::progress);
    pair.pa->remove(ra);
    const std::vector<std::byte> before(rb.area.data(), rb.area.data() + kSize);
    EXPECT_STATUS(finish(), local_protection);
    EXPECT_TRUE(same(rb.area.bytes(), before));
    expect_alive();
}

TEST_F(FlowPieces, TargetOfWriteRemovedBetweenPieces) {
    pair.a.post(write(20'000));
    EXPECT_EQ(pair.step(), Step::progress);
    pair.pb->remove(rb);
    const std::vector<std::byte> before(rb.area.data(), rb.area.data() + kSize);
    EXPECT_STATUS(finish(), remote_access);
    EXPECT_TRUE(same(rb.area.bytes(), before));
    expect_alive();
}

TEST_F(FlowPieces, SourceOfReadRemovedBetweenPieces) {
    pair.a.post(read(20'000));
    EXPECT_EQ(pair.step(), Step::progress);
    pair.pb->remove(rb);
    EXPECT_STATUS(finish(), remote_access);
    expect_alive();
}

TEST_F(FlowPieces, TargetOfReadRemovedBetweenPieces) {
    pair.a.post(read(20'000));
    EXPECT_EQ(pair.step(), Step::progress);
    pair.pa->remove(ra);
    EXPECT_STATUS(finish(), local_protection);
    expect_alive();
}

TEST_F(FlowPieces, SendersRegionRemovedLeavesTheReceivePosted) {
    pair.b.post_receive({rb.segment(0, 20'000)});
    pair.a.post(send(20'000));
    EXPECT_EQ(pair.step(), Step::progress);
    pair.pa->remove(ra);
    EXPECT_STATUS(finish(), local_protection);
    EXPECT_FALSE(pair.b.take_receive().has_value());
    EXPECT_EQ(pair.b.endpoint.receives.consumed(), 0U);
    TestRegion& again = pair.pa->add(20'000);
    EXPECT_STATUS(pair.execute({.segments = {again.segment(0, 20'000)}}), success);
    EXPECT_EQ(pair.b.take_receive()->slot, 0U);
}

TEST_F(FlowPieces, ReceiversRegionRemovedTellsBoth) {
    pair.b.post_receive({rb.segment(0, 20'000)});
    pair.a.post(send(20'000));
    EXPECT_EQ(pair.step(), Step::progress);
    pair.pb->remove(rb);
    EXPECT_STATUS(finish(), remote_access);
    EXPECT_STATUS(pair.b.take_receive(), local_protection);
    expect_alive();
}

TEST_F(FlowPieces, RightsAreAskedForEveryPiece) {
    pair.a.post(write(20'000));
    EXPECT_EQ(pair.step(), Step::progress);
    rb.region.rights = abi::right::kRemoteRead;
    EXPECT_STATUS(finish(), remote_access);
}

// What is written into the ring after a descriptor was taken changes nothing.
TEST_F(FlowPieces, RingsMayChangeOnceTaken) {
    pair.b.post_receive({rb.segment(0, 20'000)});
    pair.a.post(send(20'000));
    EXPECT_EQ(pair.step(), Step::progress);
    const auto at = abi::queue_pair_offsets(kEngineShape);
    std::memset(pair.a.memory.data() + at.send, 0xff, 16 * 64);
    std::memset(pair.b.memory.data() + at.receive, 0xff, 16 * 64);
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(pair.step(), Step::progress);
    EXPECT_STATUS(pair.a.take_send(), success);
    EXPECT_EQ(pair.b.take_receive()->length, 20'000U);
    EXPECT_TRUE(same(rb.bytes(0, 20'000), ra.bytes(0, 20'000)));
}

// ---- memory that faults

struct FaultCase {
    const char* name;
    std::uint64_t length;
    engine::CopyPlan copies;
};

class FlowFault : public FlowPieces, public testing::WithParamInterface<FaultCase> {
protected:
    FlowFault() {
        pair.context.copies = GetParam().copies;
        pair.context.piece = 1 << 20;
    }
    std::uint64_t n() const { return GetParam().length; }
    // A page inside what is moved.
    std::uint64_t hole() const { return n() > 4096 ? 8192 : 0; }
};
using engine::kNever;
INSTANTIATE_TEST_SUITE_P(
    Kernels, FlowFault,
    testing::Values(FaultCase{"Cached", 20'000, copies_by_size(kNever, kNever)},
                    FaultCase{"RepMovsb", 20'000, copies_by_size(0, kNever)},
                    FaultCase{"NonTemporal", 20'000, copies_by_size(0, 0)},
                    FaultCase{"OneLine", 64, copies_by_size(kNever, kNever)}),
    [](const testing::TestParamInfo<FaultCase>& c) { return std::string(c.param.name); });

TEST_P(FlowFault, SourceOfWrite) {
    ra.area.forbid(hole());
    EXPECT_STATUS(pair.execute(write(n())), local_protection);
    expect_alive();
}

TEST_P(FlowFault, TargetOfWrite) {
    rb.area.forbid(hole());
    EXPECT_STATUS(pair.execute(write(n())), remote_access);
    expect_alive();
}

TEST_P(FlowFault, SourceOfRead) {
    rb.area.forbid(hole());
    EXPECT_STATUS(pair.execute(read(n())), remote_access);
    expect_alive();
}

TEST_P(FlowFault, TargetOfRead) {
    ra.area.forbid(hole());
    EXPECT_STATUS(pair.execute(read(n())), local_protection);
    expect_alive();
}

TEST_P(FlowFault, SourceOfSendLeavesTheReceivePosted) {
    pair.b.post_receive({rb.segment(0, n())});
    ra.area.forbid(hole());
    EXPECT_STATUS(pair.execute(send(n())), local_protection);
    EXPECT_FALSE(pair.b.take_receive().has_value());
    ra.area.allow();
    EXPECT_STATUS(pair.execute(send(n())), success);
    EXPECT_STATUS(pair.b.take_receive(), success);
    EXPECT_TRUE(same(rb.bytes(0, n()), ra.bytes(0, n())));
}

TEST_P(FlowFault, TargetOfSendTellsBoth) {
    pair.b.post_receive({rb.segment(0, n())});
    rb.area.forbid(hole());
    EXPECT_STATUS(pair.execute(send(n())), remote_access);
    EXPECT_STATUS(pair.b.take_receive(), local_protection);
    expect_alive();
}

TEST_P(FlowFault, TargetOfWriteWithImmediateLeavesTheReceivePosted) {
    pair.b.post_receive({});
    rb.area.forbid(hole());
    Post post = write(n());
    post.flags |= flag::kImmediate;
    EXPECT_STATUS(pair.execute(post), remote_access);
    EXPECT_FALSE(pair.b.take_receive().has_value());
    rb.area.allow();
    EXPECT_STATUS(pair.execute(post), success);
    EXPECT_STATUS(pair.b.take_receive(), success);
}

TEST_P(FlowFault, TargetOfAppendKeepsTheOffset) {
    rb.area.forbid(hole());
    Post post = write(n());
    post.opcode = Opcode::append;
    EXPECT_STATUS(pair.execute(post), remote_access);
    EXPECT_EQ(rb.region.append_offset, 0U);
    EXPECT_EQ(rb.region.append_lock, 0U);
    expect_alive();
}

TEST_F(FlowPieces, SmallMessagesFaultTheSameWay) {
    ra.area.forbid();
    pair.b.post_receive({rb.segment(0, 8)});
    EXPECT_STATUS(pair.execute(send(8)), local_protection);
    EXPECT_STATUS(pair.execute(write(8)), local_protection);
    EXPECT_STATUS(pair.execute(read(8)), local_protection);
    EXPECT_FALSE(pair.b.take_receive().has_value());
    ra.area.allow();
    rb.area.forbid();
    EXPECT_STATUS(pair.execute(write(8)), remote_access);
    EXPECT_STATUS(pair.execute(read(8)), remote_access);
    // The engine does not touch the buffer of a small message: its library places it.
    EXPECT_STATUS(pair.execute(send(8)), success);
}

}  // namespace
}  // namespace causeway::test
