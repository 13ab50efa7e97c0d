#include "io/network/mac.hpp"

#include <sys/random.h>

#include <cerrno>

#include "base/names.hpp"

namespace causeway::io::network {

namespace {

// -1: no digit.
int digit(char c) noexcept {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

// One station's, and no manufacturer's.
constexpr std::uint8_t local(std::uint8_t first) noexcept {
    return static_cast<std::uint8_t>((first & 0xfc) | 0x02);
}

}  // namespace

Result<MacAddress> MacAddress::parse(std::string_view text) {
    const auto refuse = [&] {
        return fail(ErrorCode::invalid_argument,
                    "'" + printable(text) +
                        "' is no MAC address: six bytes in two hexadecimal digits each, as in "
                        "02:00:00:00:00:01");
    };
    if (text.size() != kSize * 3 - 1)
        return refuse();
    const char separator = text[2];
    if (separator != ':' && separator != '-')
        return refuse();
    Bytes bytes{};
    for (std::size_t i = 0; i < kSize; ++i) {
        const int high = digit(text[i * 3]);
        const int low = digit(text[i * 3 + 1]);
        if (high < 0 || low < 0 || (i + 1 < kSize && text[i * 3 + 2] != separator))
            return refuse();
        bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return MacAddress(bytes);
}

Result<MacAddress> MacAddress::random_local() {
    Bytes bytes{};
    ssize_t got = 0;
    do {
        got = ::getrandom(bytes.data(), bytes.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got != static_cast<ssize_t>(bytes.size()))
        return fail_errno("random bytes for a MAC address", got < 0 ? errno : EIO);
    bytes[0] = local(bytes[0]);
    return MacAddress(bytes);
}

MacAddress MacAddress::from_name(std::string_view name) noexcept {
    std::uint64_t z = 0xcbf29ce484222325U;  // FNV-1a, then spread
    for (const char c : name)
        z = (z ^ static_cast<std::uint8_t>(c)) * 0x100000001b3U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    z ^= z >> 31;
    Bytes bytes{};
    for (std::size_t i = 0; i < kSize; ++i)
        bytes[i] = static_cast<std::uint8_t>(z >> (i * 8));
    bytes[0] = local(bytes[0]);
    return MacAddress(bytes);
}

std::string MacAddress::to_string() const {
    return format_text("%02x:%02x:%02x:%02x:%02x:%02x", bytes_[0], bytes_[1], bytes_[2], bytes_[3],
                       bytes_[4], bytes_[5]);
}

}  // namespace causeway::io::network
