// Golden bytes of the control plane's messages.

#include <gtest/gtest.h>

#include <causeway/abi/figures.hpp>
#include <cstring>

#include "unit/abi/golden.hpp"

namespace causeway::test {
namespace {

abi::Header header(std::uint32_t size, abi::Request type, std::uint16_t extra = 0) {
    return {.size = size,
            .type = static_cast<std::uint16_t>(static_cast<std::uint16_t>(type) | extra),
            .flags = 0,
            .sequence = 0x0a0b0c0d,
            .error = 0};
}

template<typename T>
T message(abi::Request type, std::uint16_t extra = 0) {
    T m{};
    m.header = header(sizeof(T), type, extra);
    return m;
}

TEST(Control, NumbersOfRequestsStand) {
    constexpr abi::Request kInOrder[] = {
        abi::Request::attach,
        abi::Request::open_doorbell,
        abi::Request::wakeup_socket,
        abi::Request::close_doorbell,
        abi::Request::register_region,
        abi::Request::deregister_region,
        abi::Request::region_status,
        abi::Request::create_queue_pair,
        abi::Request::listen,
        abi::Request::close_listener,
        abi::Request::connect,
        abi::Request::accept,
        abi::Request::disconnect,
        abi::Request::stats,
        abi::Request::open_direct,
        abi::Request::resolve,
        abi::Request::resume_doorbell,
        abi::Request::resume_region,
        abi::Request::resume_queue_pair,
        abi::Request::resume_done,
        abi::Request::narrow_region,
        abi::Request::reload,
        abi::Request::open_segment,
        abi::Request::copy_segment,
        abi::Request::close_segment,
        abi::Request::resume_segment,
        abi::Request::segment_status,
        abi::Request::explain,
        abi::Request::bus,
    };
    for (std::size_t i = 0; i < std::size(kInOrder); ++i) {
        EXPECT_EQ(static_cast<std::size_t>(kInOrder[i]), i + 1);
    }
    EXPECT_EQ(abi::kReplyBit, 0x8000);
    EXPECT_EQ(abi::right::kRemoteWrite, 1U);
    EXPECT_EQ(abi::right::kRemoteRead, 2U);
    EXPECT_EQ(abi::right::kAppend, 4U);
    EXPECT_EQ(abi::right::kExportable, 8U);
}

TEST(Control, AttachStandsAsSpecified) {
    auto request = message<abi::AttachRequest>(abi::Request::attach);
    request.major_least = 0x0102;
    request.major_most = 0x0304;
    request.features = 0x05060708;
    std::strcpy(request.name, "orders");
    request.flags = 0x11121314;
    request.session = 0x15161718;
    request.token[0] = 0x19;
    request.token[15] = 0x1a;
    request.secret[0] = 0x1b;
    request.secret[63] = 0x1c;
    EXPECT_EQ(hex_lines_of(request),
              "0000: b0 00 00 00 01 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 02 01 04 03 08 07 06 05 6f 72 64 65 72 73 00 00\n"
              "0050: 00 00 00 00 00 00 00 00 14 13 12 11 18 17 16 15\n"
              "0060: 19 00 00 00 00 00 00 00 00 00 00 00 00 00 00 1a\n"
              "0070: 1b 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "00a0: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 1c\n");
    EXPECT_EQ(abi::attach_flag::kObserver, 1U);
    EXPECT_EQ(abi::attach_flag::kResume, 2U);
    EXPECT_EQ(abi::attach_flag::kAll, 3U);
    auto reply = message<abi::AttachReply>(abi::Request::attach, abi::kReplyBit);
    reply.major = 1;
    reply.minor = 2;
    reply.features = 3;
    reply.session = 4;
    reply.movers = 5;
    reply.max_bytes = 0x1112131415161718;
    reply.max_regions = 6;
    reply.max_queue_pairs = 7;
    std::strcpy(reply.name, "orders");
    std::strcpy(reply.adapter_version, "0.1.0");
    reply.token[0] = 8;
    reply.token[15] = 9;
    EXPECT_EQ(hex_lines_of(reply),
              "0000: a0 00 00 00 01 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 01 00 02 00 03 00 00 00 04 00 00 00 05 00 00 00\n"
              "0020: 18 17 16 15 14 13 12 11 06 00 00 00 07 00 00 00\n"
              "0030: 6f 72 64 65 72 73 00 00 00 00 00 00 00 00 00 00\n"
              "0070: 30 2e 31 2e 30 00 00 00 00 00 00 00 00 00 00 00\n"
              "0090: 08 00 00 00 00 00 00 00 00 00 00 00 00 00 00 09\n");
}

TEST(Control, ReloadAndExplainStandAsSpecified) {
    auto reload = message<abi::ReloadReply>(abi::Request::reload, abi::kReplyBit);
    reload.changes = 0x01020304;
    std::strcpy(reload.text, "a");
    EXPECT_EQ(hex_lines_of(reload),
              "0000: 18 08 00 00 16 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 00 00 00 00 61 00 00 00 00 00 00 00\n");
    auto explain = message<abi::ExplainRequest>(abi::Request::explain);
    explain.queue_pair = 0x11121314;
    explain.opcode = 0x15161718;
    EXPECT_EQ(hex_lines_of(explain),
              "0000: 18 00 00 00 1c 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 14 13 12 11 18 17 16 15\n");
    auto why = message<abi::ExplainReply>(abi::Request::explain, abi::kReplyBit);
    std::strcpy(why.text, "b");
    EXPECT_EQ(hex_lines_of(why),
              "0000: 10 04 00 00 1c 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 62 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n");
}

TEST(Control, ErrorReplyStandsAsSpecified) {
    auto reply = message<abi::ErrorReply>(abi::Request::connect, abi::kReplyBit);
    reply.header.error = static_cast<std::int32_t>(abi::Error::not_found);
    std::strcpy(reply.text, "no such partition");
    EXPECT_EQ(hex_lines_of(reply),
              "0000: 00 02 00 00 0b 80 00 00 0d 0c 0b 0a 05 00 00 00\n"
              "0010: 6e 6f 20 73 75 63 68 20 70 61 72 74 69 74 69 6f\n"
              "0020: 6e 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n");
}

TEST(Control, DoorbellMessagesStandAsSpecified) {
    auto open = message<abi::OpenDoorbellRequest>(abi::Request::open_doorbell);
    open.kind = static_cast<std::uint32_t>(abi::DoorbellKind::completions);
    open.index = 0x01020304;
    EXPECT_EQ(hex_lines_of(open),
              "0000: 18 00 00 00 02 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 02 00 00 00 04 03 02 01\n");
    auto reply = message<abi::OpenDoorbellReply>(abi::Request::open_doorbell, abi::kReplyBit);
    reply.doorbell = 0x01020304;
    EXPECT_EQ(hex_lines_of(reply),
              "0000: 18 00 00 00 02 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 00 00 00 00\n");
    auto wakeup = message<abi::DoorbellRequest>(abi::Request::wakeup_socket);
    wakeup.doorbell = 0x01020304;
    EXPECT_EQ(hex_lines_of(wakeup),
              "0000: 18 00 00 00 03 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 00 00 00 00\n");
}

TEST(Control, RegionMessagesStandAsSpecified) {
    auto request = message<abi::RegisterRequest>(abi::Request::register_region);
    request.size = 0x1112131415161718;
    request.address = 0x2122232425262728;
    request.rights = 0x31323334;
    request.part = 0x41424344;
    request.parts = 0x51525354;
    EXPECT_EQ(hex_lines_of(request),
              "0000: 30 00 00 00 05 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 18 17 16 15 14 13 12 11 28 27 26 25 24 23 22 21\n"
              "0020: 34 33 32 31 44 43 42 41 54 53 52 51 00 00 00 00\n");
    auto reply = message<abi::RegisterReply>(abi::Request::register_region, abi::kReplyBit);
    reply.handle = 0x01020304;
    reply.generation = 0x11121314;
    reply.network_id = 0x21222324;
    EXPECT_EQ(hex_lines_of(reply),
              "0000: 20 00 00 00 05 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 14 13 12 11 24 23 22 21 00 00 00 00\n");
    auto about = message<abi::RegionRequest>(abi::Request::deregister_region);
    about.handle = 0x01020304;
    about.generation = 0x11121314;
    EXPECT_EQ(hex_lines_of(about),
              "0000: 18 00 00 00 06 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 14 13 12 11\n");
    auto status = message<abi::RegionStatusReply>(abi::Request::region_status, abi::kReplyBit);
    status.size = 0x1112131415161718;
    status.append_offset = 0x2122232425262728;
    status.rights = 0x31323334;
    status.network_id = 0x41424344;
    EXPECT_EQ(hex_lines_of(status),
              "0000: 28 00 00 00 07 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 18 17 16 15 14 13 12 11 28 27 26 25 24 23 22 21\n"
              "0020: 34 33 32 31 44 43 42 41\n");
}

TEST(Control, QueuePairMessagesStandAsSpecified) {
    auto create = message<abi::CreateQueuePairRequest>(abi::Request::create_queue_pair);
    create.shape = {4, 8, 16, 32};
    create.completions = 0x01020304;
    create.patience = static_cast<std::uint32_t>(abi::Patience::bounded);
    create.patience_ns = 0x1112131415161718;
    EXPECT_EQ(hex_lines_of(create),
              "0000: 30 00 00 00 08 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 00 00 00 08 00 00 00 10 00 00 00 20 00 00 00\n"
              "0020: 04 03 02 01 02 00 00 00 18 17 16 15 14 13 12 11\n");
    auto created =
        message<abi::CreateQueuePairReply>(abi::Request::create_queue_pair, abi::kReplyBit);
    created.queue_pair = 0x01020304;
    created.mover = 0x11121314;
    created.doorbell_bit = 0x21222324;
    created.ready_bit = 0x31323334;
    created.memory_size = 0x4142434445464748;
    EXPECT_EQ(hex_lines_of(created),
              "0000: 28 00 00 00 08 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 14 13 12 11 24 23 22 21 34 33 32 31\n"
              "0020: 48 47 46 45 44 43 42 41\n");
    auto connect = message<abi::ConnectRequest>(abi::Request::connect);
    connect.queue_pair = 0x01020304;
    connect.executor = static_cast<std::uint32_t>(abi::Executor::direct);
    std::strcpy(connect.target, "billing/invoices");
    EXPECT_EQ(hex_lines_of(connect),
              "0000: 98 00 00 00 0b 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 02 00 00 00 62 69 6c 6c 69 6e 67 2f\n"
              "0020: 69 6e 76 6f 69 63 65 73 00 00 00 00 00 00 00 00\n");
    auto accept = message<abi::AcceptRequest>(abi::Request::accept);
    accept.listener = 0x01020304;
    accept.queue_pair = 0x11121314;
    accept.executor = static_cast<std::uint32_t>(abi::Executor::direct);
    EXPECT_EQ(hex_lines_of(accept),
              "0000: 20 00 00 00 0c 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 14 13 12 11 02 00 00 00 00 00 00 00\n");
    auto listen = message<abi::ListenRequest>(abi::Request::listen);
    std::strcpy(listen.service, "invoices");
    listen.backlog = 0x01020304;
    listen.controller = 0x11121314;
    EXPECT_EQ(hex_lines_of(listen),
              "0000: 60 00 00 00 09 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 69 6e 76 6f 69 63 65 73 00 00 00 00 00 00 00 00\n"
              "0050: 04 03 02 01 00 00 00 00 14 13 12 11 00 00 00 00\n");
    auto disconnect = message<abi::DisconnectRequest>(abi::Request::disconnect);
    disconnect.queue_pair = 0x01020304;
    EXPECT_EQ(hex_lines_of(disconnect),
              "0000: 18 00 00 00 0d 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 00 00 00 00\n");
}

TEST(Control, DirectMessagesStandAsSpecified) {
    EXPECT_EQ(static_cast<int>(abi::DoorbellKind::bell_in), 3);
    EXPECT_EQ(static_cast<int>(abi::DoorbellKind::bell_out), 4);
    EXPECT_EQ(static_cast<int>(abi::DirectSide::own), 0);
    EXPECT_EQ(static_cast<int>(abi::DirectSide::peer), 1);
    auto open = message<abi::OpenDirectRequest>(abi::Request::open_direct);
    open.queue_pair = 0x01020304;
    open.side = static_cast<std::uint32_t>(abi::DirectSide::peer);
    EXPECT_EQ(hex_lines_of(open),
              "0000: 18 00 00 00 0f 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 01 00 00 00\n");
    auto opened = message<abi::OpenDirectReply>(abi::Request::open_direct, abi::kReplyBit);
    opened.memory_size = 0x1112131415161718;
    opened.receive_entries = 0x21222324;
    opened.receive_completion_entries = 0x31323334;
    opened.peer_session = 0x41424344;
    opened.peer_ready_bit = 0x51525354;
    opened.bell_in = 0x61626364;
    opened.bell_out = 0x71727374;
    EXPECT_EQ(hex_lines_of(opened),
              "0000: 30 00 00 00 0f 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 18 17 16 15 14 13 12 11 24 23 22 21 34 33 32 31\n"
              "0020: 44 43 42 41 54 53 52 51 64 63 62 61 74 73 72 71\n");
    auto resolve = message<abi::ResolveRequest>(abi::Request::resolve);
    resolve.queue_pair = 0x01020304;
    resolve.handle = 0x11121314;
    resolve.part = 0x21222324;
    EXPECT_EQ(hex_lines_of(resolve),
              "0000: 20 00 00 00 10 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 14 13 12 11 24 23 22 21 00 00 00 00\n");
    auto resolved = message<abi::ResolveReply>(abi::Request::resolve, abi::kReplyBit);
    resolved.size = 0x1112131415161718;
    resolved.address = 0x2122232425262728;
    resolved.generation = 0x31323334;
    resolved.rights = 0x41424344;
    resolved.parts = 0x51525354;
    resolved.network_id = 0x61626364;
    EXPECT_EQ(hex_lines_of(resolved),
              "0000: 30 00 00 00 10 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 18 17 16 15 14 13 12 11 28 27 26 25 24 23 22 21\n"
              "0020: 34 33 32 31 44 43 42 41 54 53 52 51 64 63 62 61\n");
}

TEST(Control, ResumingStandsAsSpecified) {
    auto doorbell = message<abi::ResumeDoorbellRequest>(abi::Request::resume_doorbell);
    doorbell.doorbell = 0x01020304;
    EXPECT_EQ(hex_lines_of(doorbell),
              "0000: 18 00 00 00 11 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 00 00 00 00\n");
    auto region = message<abi::ResumeRegionRequest>(abi::Request::resume_region);
    region.handle = 0x01020304;
    region.generation = 0x11121314;
    region.part = 0x21222324;
    EXPECT_EQ(hex_lines_of(region),
              "0000: 20 00 00 00 12 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 14 13 12 11 24 23 22 21 00 00 00 00\n");
    auto pair = message<abi::ResumeQueuePairRequest>(abi::Request::resume_queue_pair);
    pair.queue_pair = 0x01020304;
    EXPECT_EQ(hex_lines_of(pair),
              "0000: 18 00 00 00 13 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 00 00 00 00\n");
    EXPECT_EQ(hex_lines_of(message<abi::ResumeDoneRequest>(abi::Request::resume_done)),
              "0000: 18 00 00 00 14 00 00 00 0d 0c 0b 0a 00 00 00 00\n");
}

TEST(Control, RevokingStandsAsSpecified) {
    auto reply = message<abi::DeregisterReply>(abi::Request::deregister_region, abi::kReplyBit);
    reply.granted = 1;
    EXPECT_EQ(hex_lines_of(reply),
              "0000: 18 00 00 00 06 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 01 00 00 00 00 00 00 00\n");
    auto narrow = message<abi::NarrowRegionRequest>(abi::Request::narrow_region);
    narrow.handle = 0x01020304;
    narrow.generation = 0x11121314;
    narrow.rights = 0x21222324;
    EXPECT_EQ(hex_lines_of(narrow),
              "0000: 20 00 00 00 15 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 14 13 12 11 24 23 22 21 00 00 00 00\n");
}

TEST(Control, StatsStandAsSpecified) {
    auto request = message<abi::StatsRequest>(abi::Request::stats);
    request.kind = static_cast<std::uint32_t>(abi::StatsKind::regions);
    request.cursor = 0x01020304;
    EXPECT_EQ(hex_lines_of(request),
              "0000: 18 00 00 00 0e 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 03 00 00 00 04 03 02 01\n");
    auto reply = message<abi::StatsReply>(abi::Request::stats, abi::kReplyBit);
    reply.rows = 0x01020304;
    reply.row_size = sizeof(abi::RegionRow);
    reply.next = 0x11121314;
    EXPECT_EQ(hex_lines_of(reply),
              "0000: 20 00 00 00 0e 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 60 00 00 00 14 13 12 11 00 00 00 00\n");
    abi::QueuePairRow pair{};
    std::strcpy(pair.partition, "a");
    std::strcpy(pair.peer, "b");
    std::strcpy(pair.service, "c");
    std::strcpy(pair.why, "d");
    pair.id = 1;
    pair.peer_id = 2;
    pair.state = 3;
    pair.reason = 4;
    pair.executor = 5;
    pair.mover = 6;
    pair.outstanding = 7;
    pair.receives = 8;
    pair.operations = 9;
    pair.bytes = 10;
    pair.errors = 11;
    pair.stalls = 12;
    pair.stall_ns = 13;
    EXPECT_EQ(hex_lines_of(pair),
              "0000: 61 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0040: 62 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0080: 63 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "00c0: 64 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0100: 01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00\n"
              "0110: 05 00 00 00 06 00 00 00 07 00 00 00 08 00 00 00\n"
              "0120: 09 00 00 00 00 00 00 00 0a 00 00 00 00 00 00 00\n"
              "0130: 0b 00 00 00 00 00 00 00 0c 00 00 00 00 00 00 00\n"
              "0140: 0d 00 00 00 00 00 00 00\n");
}

TEST(Control, FiguresStandAsSpecified) {
    abi::PartitionRow partition{};
    partition.mover_ns = 1;
    partition.errors = 2;
    partition.stalls = 3;
    partition.stall_ns = 4;
    partition.claimed_operations = 5;
    partition.claimed_bytes = 6;
    partition.claimed_errors = 7;
    partition.claimed_stalls = 8;
    partition.claimed_stall_ns = 9;
    EXPECT_EQ(hex_lines_of(partition),
              "00b0: 01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00\n"
              "00c0: 03 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00\n"
              "00d0: 05 00 00 00 00 00 00 00 06 00 00 00 00 00 00 00\n"
              "00e0: 07 00 00 00 00 00 00 00 08 00 00 00 00 00 00 00\n"
              "00f0: 09 00 00 00 00 00 00 00\n");
    abi::MoverRow mover{};
    mover.index = 1;
    mover.load = 2;
    mover.cpu_ns = 3;
    mover.turns = 4;
    mover.sleeps = 5;
    mover.wakeups = 6;
    mover.operations = 7;
    mover.bytes = 8;
    mover.given = 9;
    EXPECT_EQ(hex_lines_of(mover),
              "0000: 01 00 00 00 02 00 00 00 03 00 00 00 00 00 00 00\n"
              "0010: 04 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00\n"
              "0020: 06 00 00 00 00 00 00 00 07 00 00 00 00 00 00 00\n"
              "0030: 08 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00\n");
    abi::DenialRow denial{};
    std::strcpy(denial.partition, "a");
    std::strcpy(denial.rule, "b");
    denial.count = 1;
    EXPECT_EQ(hex_lines_of(denial),
              "0000: 61 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0040: 62 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0080: 01 00 00 00 00 00 00 00\n");
    abi::HistogramRow histogram{};
    histogram.measure = static_cast<std::uint32_t>(abi::Measure::size);
    histogram.mover = 2;
    histogram.sum = 3;
    histogram.buckets[0] = 4;
    histogram.buckets[39] = 5;
    EXPECT_EQ(hex_lines_of(histogram),
              "0000: 01 00 00 00 02 00 00 00 03 00 00 00 00 00 00 00\n"
              "0010: 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0140: 00 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00\n");
}

}  // namespace
}  // namespace causeway::test
