// Every way in which a descriptor can fail, who hears of it, and what stays as it was.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "unit/engine/flow_expect.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using engine::Step;

constexpr std::uint64_t kSize = 64 << 10;

class FlowStatus : public testing::Test {
protected:
    FlowStatus() { Random(5).fill(ra.area.bytes()); }
    ~FlowStatus() override { EXPECT_TRUE(pair.intact()); }

    // The pair still works.
    void expect_alive() {
        pair.b.post_receive({rb.segment(0, 100)});
        EXPECT_STATUS(pair.execute({.segments = {ra.segment(0, 100)}}), success);
        EXPECT_STATUS(pair.b.take_receive(), success);
        EXPECT_TRUE(same(rb.bytes(0, 100), ra.bytes(0, 100)));
    }

    TestPair pair;
    TestRegion& ra = pair.pa->add(kSize, 0, 0x7f0000000000);
    TestRegion& rb = pair.pb->add(kSize, kEveryRight, 0x10000);
};

TEST_F(FlowStatus, LocalLengthWhenTheSumIsOver32Bits) {
    pair.b.post_receive({rb.segment(0, 64)});
    const auto sent =
        pair.execute({.segments = {{UINT32_MAX, ra.region.handle, 0}, {1, ra.region.handle, 0}}});
    EXPECT_STATUS(sent, local_length);
    EXPECT_EQ(sent->length, 0U);
    EXPECT_FALSE(pair.b.take_receive().has_value());
    EXPECT_EQ(pair.b.endpoint.receives.consumed(), 0U) << "the receive must stay posted";
}

TEST_F(FlowStatus, LocalProtectionForEverySegmentOutside) {
    const abi::DataSegment bad[] = {
        {1, ra.region.handle, ra.region.address + kSize},
        {kSize + 1, ra.region.handle, ra.region.address},
        {1, ra.region.handle, ra.region.address - 1},
        {8, ra.region.handle, 0},
        {8, ra.region.handle, UINT64_MAX - 3},
        {8, ra.region.handle + 1, ra.region.address},
        {8, ra.region.handle + 0x10000, ra.region.address},
        {8, 0, ra.region.address},
        {8, 0xffff, ra.region.address},
        {UINT32_MAX, ra.region.handle, ra.region.address},
        {40, rb.region.handle + 7, rb.region.address},
    };
    for (const abi::DataSegment& segment : bad) {
        for (const Opcode opcode : {Opcode::send, Opcode::write, Opcode::read, Opcode::append}) {
            const abi::AddressSegment remote =
                opcode == Opcode::send ? abi::AddressSegment{} : rb.remote();
            // Alone, and behind a good segment.
            EXPECT_STATUS(pair.execute({.opcode = opcode, .segments = {segment}, .remote = remote}),
                          local_protection);
            if (segment.length == UINT32_MAX)
                continue;
            EXPECT_STATUS(
                pair.execute(
                    {.opcode = opcode, .segments = {ra.segment(0, 64), segment}, .remote = remote}),
                local_protection);
        }
    }
    EXPECT_TRUE(all_zero(rb.area.bytes()));
    EXPECT_EQ(rb.region.append_lock, 0U);
    EXPECT_EQ(rb.region.append_offset, 0U);
    expect_alive();
}

TEST_F(FlowStatus, LocalProtectionWhenTheRegionIsGone) {
    TestRegion& gone = pair.pa->add(4096);
    const auto segment = gone.segment(0, 64);
    pair.pa->remove(gone);
    EXPECT_STATUS(
        pair.execute({.opcode = Opcode::write, .segments = {segment}, .remote = rb.remote()}),
        local_protection);
    // A new region in the same place does not bring the handle back.
    (void)pair.pa->add(4096);
    EXPECT_STATUS(
        pair.execute({.opcode = Opcode::write, .segments = {segment}, .remote = rb.remote()}),
        local_protection);
}

TEST_F(FlowStatus, LocalSegmentsNeedNoRemoteRights) {
    // ra grants nothing to anybody and is used as a source and as the target of a Read.
    EXPECT_STATUS(
        pair.execute(
            {.opcode = Opcode::read, .segments = {ra.segment(0, 64)}, .remote = rb.remote()}),
        success);
}

TEST_F(FlowStatus, RemoteAccessForWrongHandleGenerationRangeAndRight) {
    struct Case {
        const char* name;
        abi::AddressSegment remote;
        bool append_fails;  // an Append does not look at the address
    };
    const auto at = rb.remote();
    const Case cases[] = {
        {"no handle", {0, at.generation, at.address}, true},
        {"another slot", {at.handle + 1, at.generation, at.address}, true},
        {"another use", {at.handle + 0x10000, at.generation, at.address}, true},
        {"generation", {at.handle, at.generation + 1, at.address}, true},
        {"no generation", {at.handle, 0, at.address}, true},
        {"one before", {at.handle, at.generation, at.address - 1}, false},
        {"one past", {at.handle, at.generation, at.address + kSize - 39}, false},
        {"far past", {at.handle, at.generation, UINT64_MAX}, false},
        {"wraps", {at.handle, at.generation, UINT64_MAX - 39}, false},
    };
    for (const Case& c : cases) {
        for (const Opcode opcode : {Opcode::write, Opcode::read, Opcode::append}) {
            if (opcode == Opcode::append && !c.append_fails)
                continue;
            EXPECT_STATUS(
                pair.execute(
                    {.opcode = opcode, .segments = {ra.segment(0, 40)}, .remote = c.remote}),
                remote_access)
                << c.name;
        }
        // Inline ones go another way through the engine.
        std::vector<std::uint8_t> payload(32, 7);
        abi::AddressSegment remote = c.remote;
        if (std::strcmp(c.name, "one past") == 0)
            remote.address += 8;  // 31 bytes are left
        EXPECT_STATUS(pair.execute({.opcode = Opcode::write,
                                    .remote = remote,
                                    .flags = flag::kSignaled | flag::kInline,
                                    .payload = payload}),
                      remote_access)
            << c.name;
    }
    EXPECT_TRUE(all_zero(rb.area.bytes()));
    expect_alive();
}

TEST_F(FlowStatus, RemoteAccessUnlessTheRightIsGranted) {
    for (std::uint32_t rights = 0; rights < 16; ++rights) {
        TestRegion& region = pair.pb->add(4096, rights);
        const auto status = [&](Opcode opcode) {
            return status_of(pair.execute(
                {.opcode = opcode, .segments = {ra.segment(0, 40)}, .remote = region.remote()}));
        };
        const auto expected = [&](std::uint32_t needed) {
            return (rights & needed) != 0 ? abi::Status::success : abi::Status::remote_access;
        };
        EXPECT_EQ(status(Opcode::write), expected(abi::right::kRemoteWrite)) << rights;
        EXPECT_EQ(status(Opcode::read), expected(abi::right::kRemoteRead)) << rights;
        EXPECT_EQ(status(Opcode::append), expected(abi::right::kAppend)) << rights;
    }
}

TEST_F(FlowStatus, OnesOwnRegionIsNoRemoteRegion) {
    // A handle resolves among the peer's regions only.
    TestRegion& own = pair.pa->add(4096, kEveryRight, 0x5000);
    const auto remote = own.remote();
    EXPECT_STATUS(
        pair.execute({.opcode = Opcode::write, .segments = {ra.segment(0, 40)}, .remote = remote}),
        remote_access);
    EXPECT_TRUE(all_zero(own.area.bytes()));
}

TEST_F(FlowStatus, RemoteLengthWhenTheReceiveIsTooShort) {
    for (const std::uint32_t n : {1U, 32U, 33U, 5000U}) {
        pair.b.post_receive({rb.segment(0, n - 1)});
        EXPECT_STATUS(pair.execute({.segments = {ra.segment(0, n)}}), remote_length);
        const auto received = pair.b.take_receive();
        EXPECT_STATUS(received, local_length);
        EXPECT_EQ(received->length, 0U);
        EXPECT_EQ(received->flags, 0);
    }
    EXPECT_TRUE(all_zero(rb.area.bytes()));
    expect_alive();
}

TEST_F(FlowStatus, ReceiverIsToldOfItsOwnBadSegment) {
    pair.b.post_receive({{100, rb.region.handle, rb.region.address + kSize}});
    EXPECT_STATUS(pair.execute({.segments = {ra.segment(0, 100)}}), remote_access);
    EXPECT_STATUS(pair.b.take_receive(), local_protection);
    expect_alive();
}

TEST_F(FlowStatus, SenderAtFaultLeavesTheReceivePosted) {
    pair.b.post_receive({rb.segment(0, 100)});
    EXPECT_STATUS(pair.execute({.segments = {{50, 0xffff, 0}}}), local_protection);
    EXPECT_STATUS(pair.execute({.segments = {{5, 0xffff, 0}}}), local_protection);
    EXPECT_STATUS(pair.execute({.opcode = Opcode::write,
                                .segments = {ra.segment(0, 9)},
                                .remote = {},
                                .flags = flag::kSignaled | flag::kImmediate}),
                  remote_access);
    EXPECT_FALSE(pair.b.take_receive().has_value());
    EXPECT_STATUS(pair.execute({.segments = {ra.segment(0, 100)}}), success);
    EXPECT_EQ(pair.b.take_receive()->slot, 0U);
}

TEST_F(FlowStatus, BadDescriptorBreaksThePairAndNamesTheGuilty) {
    auto chain = Post{.opcode = Opcode::nop}.build();
    chain[0].control.opcode = 99;
    pair.a.sends.publish(std::span(chain));
    EXPECT_EQ(pair.step(), Step::broken);
    EXPECT_EQ(pair.ab.blame(), &pair.a.endpoint);
    const auto done = pair.a.take_send();
    EXPECT_STATUS(done, bad_descriptor);
    EXPECT_EQ(done->opcode, 99);
}

TEST_F(FlowStatus, BadReceiveBlamesTheReceiver) {
    auto chain = Post{.opcode = Opcode::receive, .flags = 0}.build();
    chain[0].control.flags = flag::kSignaled;
    pair.b.receives.publish(std::span(chain));
    pair.a.post({.segments = {ra.segment(0, 8)}});
    EXPECT_EQ(pair.step(), Step::broken);
    EXPECT_EQ(pair.ab.blame(), &pair.b.endpoint);
    EXPECT_STATUS(pair.b.take_receive(), bad_descriptor);
    EXPECT_FALSE(pair.a.take_send().has_value()) << "what is under way is flushed by the close";
}

TEST_F(FlowStatus, FenceFlushesOnlyWhatItGuards) {
    const std::uint8_t fence = flag::kSignaled | flag::kFence;
    const auto good = [&](std::uint8_t flags) {
        return status_of(pair.execute({.opcode = Opcode::write,
                                       .segments = {ra.segment(0, 8)},
                                       .remote = rb.remote(),
                                       .flags = flags}));
    };
    const auto bad = [&](std::uint8_t flags) {
        return status_of(pair.execute({.opcode = Opcode::write,
                                       .segments = {ra.segment(0, 8)},
                                       .remote = {},
                                       .flags = flags}));
    };
    using abi::Status;
    EXPECT_EQ(good(fence), Status::success);
    EXPECT_EQ(bad(0), Status::remote_access);
    EXPECT_EQ(good(flag::kSignaled), Status::success);  // not fenced: goes on
    EXPECT_EQ(good(fence), Status::flushed);
    EXPECT_EQ(good(fence), Status::success);       // nothing has failed since that fence
    EXPECT_EQ(bad(fence), Status::remote_access);  // fails by itself, behind its own fence
    EXPECT_EQ(good(fence), Status::flushed);
    EXPECT_EQ(good(fence), Status::success);
    // A fenced Nop guards as well.
    EXPECT_EQ(bad(0), Status::remote_access);
    EXPECT_STATUS(pair.execute({.opcode = Opcode::nop, .flags = fence}), flushed);
    EXPECT_EQ(good(fence), Status::success);
    // Too long a message behind a failed one is flushed, and does not hide the fence.
    EXPECT_EQ(bad(0), Status::remote_access);
    EXPECT_STATUS(pair.execute({.segments = {{UINT32_MAX, 0, 0}, {1, 0, 0}}, .flags = fence}),
                  flushed);
}

}  // namespace
}  // namespace causeway::test
