#include "../apps/causeway/perf/payload.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace causeway::perf {
namespace {

constexpr std::uint32_t kBuffers = 3;

std::vector<std::byte> message(std::size_t size, std::uint64_t seed, std::uint32_t slot) {
    std::vector<std::byte> data(size);
    fill_noise(data, seed, slot);
    return data;
}

class Payload : public ::testing::TestWithParam<std::size_t> {};

// Every size near the widths that reading is done in.
TEST_P(Payload, AReaderSeesOneChangedByte) {
    const std::size_t size = GetParam();
    Inspector inspector(size, kBuffers);
    for (const bool change : {false, true}) {
        inspector.begin(Inspector::Mode::read, 7);
        for (std::uint32_t i = 0; i < 2 * kBuffers; ++i) {
            auto data = message(size, 7, i % kBuffers);
            if (change && i == 4)
                data.back() ^= std::byte{1};
            inspector.look(data);
        }
        EXPECT_EQ(inspector.check(), !change);
    }
    inspector.begin(Inspector::Mode::read, 8);  // other data than before
    auto stale = message(size, 7, 0);
    inspector.look(stale);
    EXPECT_FALSE(inspector.check());
}

TEST_P(Payload, AVerifierOverwritesALapAndComparesTheNext) {
    const std::size_t size = GetParam();
    Inspector inspector(size, kBuffers);
    for (const bool change : {false, true}) {
        inspector.begin(Inspector::Mode::verify, 7);
        for (std::uint32_t i = 0; i < 2 * kBuffers; ++i) {
            auto data = message(size, 7, i % kBuffers);
            const auto before = data;
            if (change && i == 4)
                data.front() ^= std::byte{1};
            inspector.look(data);
            if (i < kBuffers) {
                EXPECT_NE(data, before);
            }
        }
        EXPECT_EQ(inspector.check(), !change);
    }
}

TEST_P(Payload, ForeignBuffersAreComparedFromTheFirstAndLeftAlone) {
    const std::size_t size = GetParam();
    Inspector inspector(size, 1, Inspector::Buffers::foreign);
    inspector.begin(Inspector::Mode::verify, 7);
    auto data = message(size, 7, 0);
    const auto before = data;
    inspector.look(data);
    EXPECT_TRUE(inspector.check());
    EXPECT_EQ(data, before);
    data.back() ^= std::byte{1};
    inspector.look(data);
    EXPECT_FALSE(inspector.check());
}

INSTANTIATE_TEST_SUITE_P(Sizes, Payload,
                         ::testing::Values(1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 200, 4096));

}  // namespace
}  // namespace causeway::perf
