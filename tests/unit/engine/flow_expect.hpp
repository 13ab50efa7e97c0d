// Short checks of completions, for the tests of flows.
#pragma once

#include <gtest/gtest.h>
#include <causeway/abi/completion.hpp>
#include <causeway/abi/status.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "support/engine_world.hpp"
#include "support/random.hpp"

namespace causeway::test {

[[nodiscard]] inline abi::Status status_of(const std::optional<abi::Completion>& c) {
    return c ? static_cast<abi::Status>(c->status) : abi::Status{255};  // 255: there was none
}
[[nodiscard]] inline abi::Opcode opcode_of(const std::optional<abi::Completion>& c) {
    return c ? static_cast<abi::Opcode>(c->opcode) : abi::Opcode{0};
}
[[nodiscard]] inline bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}
[[nodiscard]] inline bool all_zero(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(),
                       [](std::byte byte) { return byte == std::byte{0}; });
}

#define EXPECT_STATUS(completion, expected) \
    EXPECT_EQ(status_of(completion), ::causeway::abi::Status::expected)

}  // namespace causeway::test
