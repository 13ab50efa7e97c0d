// Golden bytes of a log of records.
#include <causeway/abi/append_log.hpp>

#include <gtest/gtest.h>

#include "unit/abi/golden.hpp"

namespace causeway::test {
namespace {

using abi::RecordState;

TEST(AppendLog, HeaderStandsAsSpecified) {
    const std::uint64_t header = abi::record_header(0x01020304, 0x112233, RecordState::committed);
    EXPECT_EQ(hex_lines_of(header), "0000: 04 03 02 01 33 22 11 02\n");
    EXPECT_EQ(abi::record_length(header), 0x01020304U);
    EXPECT_EQ(abi::record_writer(header), 0x112233U);
    EXPECT_EQ(abi::record_state(header), RecordState::committed);
    EXPECT_EQ(abi::record_header(0, 0, RecordState::free), 0U);
}

TEST(AppendLog, AWriterThatIsTooLargeTouchesNothingElse) {
    const std::uint64_t header = abi::record_header(7, 0xff'a1b2c3, RecordState::closed);
    EXPECT_EQ(abi::record_writer(header), 0xa1b2c3U);
    EXPECT_EQ(abi::record_state(header), RecordState::closed);
    EXPECT_EQ(abi::record_length(header), 7U);
}

TEST(AppendLog, NumbersOfStatesStand) {
    EXPECT_EQ(static_cast<int>(RecordState::free), 0);
    EXPECT_EQ(static_cast<int>(RecordState::reserved), 1);
    EXPECT_EQ(static_cast<int>(RecordState::committed), 2);
    EXPECT_EQ(static_cast<int>(RecordState::closed), 3);
}

TEST(AppendLog, RecordsTakeWholeWords) {
    EXPECT_EQ(abi::record_size(0), 8U);
    EXPECT_EQ(abi::record_size(1), 16U);
    EXPECT_EQ(abi::record_size(8), 16U);
    EXPECT_EQ(abi::record_size(9), 24U);
    EXPECT_EQ(abi::record_size(UINT32_MAX), (std::uint64_t{1} << 32) + 8);
}

}  // namespace
}  // namespace causeway::test
