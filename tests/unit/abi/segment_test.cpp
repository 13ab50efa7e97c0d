// The golden bytes of abi/segment.hpp.
#include <gtest/gtest.h>

#include <causeway/abi/segment.hpp>
#include <cstring>

#include "golden.hpp"

namespace causeway {
namespace {

using test::hex_lines_of;

template<typename T>
T message(abi::Request type, std::uint16_t bit = 0) {
    T m{};
    m.header.size = sizeof(T);
    m.header.type = static_cast<std::uint16_t>(static_cast<std::uint16_t>(type) | bit);
    m.header.sequence = 0x0a0b0c0d;
    return m;
}

TEST(SegmentAbi, OpeningStandsAsSpecified) {
    auto request = message<abi::OpenSegmentRequest>(abi::Request::open_segment);
    request.access = static_cast<std::uint32_t>(abi::SegmentAccess::write);
    std::strcpy(request.name, "ledger");
    EXPECT_EQ(hex_lines_of(request),
              "0000: 58 00 00 00 17 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 02 00 00 00 00 00 00 00 6c 65 64 67 65 72 00 00\n");
    auto reply = message<abi::OpenSegmentReply>(abi::Request::open_segment, abi::kReplyBit);
    reply.segment = 0x01020304;
    reply.access = static_cast<std::uint32_t>(abi::SegmentAccess::read);
    reply.size = 0x1112131415161718;
    reply.manner = static_cast<std::uint32_t>(abi::SegmentManner::copies);
    EXPECT_EQ(hex_lines_of(reply),
              "0000: 28 00 00 00 17 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 01 00 00 00 18 17 16 15 14 13 12 11\n"
              "0020: 02 00 00 00 00 00 00 00\n");
}

TEST(SegmentAbi, CopyingStandsAsSpecified) {
    auto request = message<abi::CopySegmentRequest>(abi::Request::copy_segment);
    request.segment = 0x01020304;
    request.length = 0x05060708;
    request.offset = 0x1112131415161718;
    request.handle = 0x21222324;
    request.generation = 0x25262728;
    request.address = 0x3132333435363738;
    EXPECT_EQ(hex_lines_of(request),
              "0000: 30 00 00 00 18 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 08 07 06 05 18 17 16 15 14 13 12 11\n"
              "0020: 24 23 22 21 28 27 26 25 38 37 36 35 34 33 32 31\n");
    EXPECT_EQ(abi::kMostSegmentCopy, 1048576U);
}

TEST(SegmentAbi, OthersStandAsSpecified) {
    auto request = message<abi::SegmentRequest>(abi::Request::resume_segment);
    request.segment = 0x01020304;
    EXPECT_EQ(hex_lines_of(request),
              "0000: 18 00 00 00 1a 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 00 00 00 00\n");
    abi::SegmentRow row{};
    row.name[0] = 'n';
    row.readers[0] = 'r';
    row.writers[0] = 'w';
    row.size = 0x1112131415161718;
    row.open = 0x01020304;
    row.copies = 0x05060708;
    row.state = static_cast<std::uint32_t>(abi::SegmentState::failed);
    EXPECT_EQ(hex_lines_of(row),
              "0000: 6e 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0040: 72 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0140: 77 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0240: 18 17 16 15 14 13 12 11 04 03 02 01 08 07 06 05\n"
              "0250: 03 00 00 00 00 00 00 00\n");
}

}  // namespace
}  // namespace causeway
