// Bytes as hexadecimal text, for golden tests: "01 02 03", sixteen to a line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace causeway::test {

[[nodiscard]] inline std::string hex(std::span<const std::byte> bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i != 0)
            text += i % 16 == 0 ? '\n' : ' ';
        const auto byte = std::to_integer<unsigned>(bytes[i]);
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

template<typename T>
[[nodiscard]] std::string hex_of(const T& value) {
    return hex(std::as_bytes(std::span(&value, 1)));
}

// The lines that hold something, each with its offset in front: "0010: 00 01 ...".
[[nodiscard]] inline std::string hex_lines(std::span<const std::byte> bytes) {
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 16) {
        const auto line = bytes.subspan(at, std::min<std::size_t>(16, bytes.size() - at));
        bool empty = true;
        for (const std::byte byte : line)
            empty &= byte == std::byte{0};
        if (empty)
            continue;
        static constexpr char kDigits[] = "0123456789abcdef";
        for (int shift = 12; shift >= 0; shift -= 4)
            text += kDigits[at >> shift & 15];
        text += ": " + hex(line) + "\n";
    }
    return text;
}

template<typename T>
[[nodiscard]] std::string hex_lines_of(const T& value) {
    return hex_lines(std::as_bytes(std::span(&value, 1)));
}

}  // namespace causeway::test
