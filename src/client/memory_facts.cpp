#include "client/memory_facts.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "platform/files.hpp"
#include "platform/memfd.hpp"

namespace causeway::client {
namespace {

using platform::kPage;

#ifdef MADV_POPULATE_WRITE
constexpr int kPopulateWrite = MADV_POPULATE_WRITE;
#else
constexpr int kPopulateWrite = 23;
#endif

constexpr std::uint64_t kStretch = std::uint64_t{64} << 20;  // pages asked about at a time

[[nodiscard]] tl::unexpected<Error> not_adoptable(std::uintptr_t where, const char* why) {
    return fail_format(ErrorCode::invalid_argument,
                       "the memory at %p cannot be adopted: it is %s; take private, writable, "
                       "page-aligned memory such as mmap(MAP_PRIVATE | MAP_ANONYMOUS) gives",
                       reinterpret_cast<const void*>(where),
                       why);  // NOLINT(performance-no-int-to-ptr)
}

struct MapsLine {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    bool readable = false;
    bool writable = false;
    bool is_private = false;
};

// "BEGIN-END rwxp ..."
[[nodiscard]] MapsLine parse_maps_line(std::string_view line) {
    const std::string range(platform::next_token(line, ' '));
    const std::string_view rights = platform::next_token(line, ' ');
    MapsLine out;
    char* rest = nullptr;
    out.begin = std::strtoull(range.c_str(), &rest, 16);
    if (*rest == '-')
        out.end = std::strtoull(rest + 1, nullptr, 16);
    if (rights.size() >= 4) {
        out.readable = rights[0] == 'r';
        out.writable = rights[1] == 'w';
        out.is_private = rights[3] == 'p';
    }
    return out;
}

[[nodiscard]] Result<void> check_maps(std::string_view maps, std::uintptr_t at,
                                      std::uintptr_t end) {
    while (!maps.empty() && at < end) {
        const MapsLine line = parse_maps_line(platform::next_token(maps, '\n'));
        if (line.end <= at)
            continue;
        if (line.begin > at)
            break;
        if (!line.is_private)
            return not_adoptable(at, "shared");
        if (!line.readable || !line.writable)
            return not_adoptable(at, "not writable");
        at = line.end;
    }
    if (at < end)
        return not_adoptable(at, "not mapped");
    return {};
}

}  // namespace

std::optional<std::uint64_t> available_memory() noexcept {
    const auto text = platform::read_small_file("/proc/meminfo");
    if (!text)
        return std::nullopt;
    constexpr std::string_view key = "MemAvailable:";
    std::string_view lines(*text);
    while (!lines.empty()) {
        std::string_view line = platform::next_token(lines, '\n');
        if (!line.starts_with(key))
            continue;
        line.remove_prefix(key.size());
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        const auto kilobytes = platform::leading_number(line);
        if (kilobytes)
            return *kilobytes * 1024;
    }
    return std::nullopt;
}

Result<void> check_adoptable(const std::byte* address, std::uint64_t size) {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (address == nullptr || at % kPage != 0 || size == 0 || size % kPage != 0) {
        return fail_format(ErrorCode::invalid_argument,
                           "%llu bytes at %p cannot be adopted: address and size must be multiples "
                           "of %llu, and not zero",
                           static_cast<unsigned long long>(size), static_cast<const void*>(address),
                           static_cast<unsigned long long>(kPage));
    }
    if (size > std::numeric_limits<std::uintptr_t>::max() - at) {
        return not_adoptable(at, "past the end of the address space");
    }
    const auto maps = platform::read_small_file("/proc/self/maps");
    if (maps)
        return check_maps(*maps, at, at + size);
    return {};  // copying from it tells whether it can be read
}

std::uint64_t resident_bytes(const std::byte* address, std::uint64_t size) noexcept {
    static_assert(kStretch % kPage == 0);
    std::vector<unsigned char> pages(std::min(size, kStretch) / kPage);
    std::uint64_t resident = 0;
    for (std::uint64_t offset = 0; offset < size; offset += kStretch) {
        const std::uint64_t length = std::min(kStretch, size - offset);
        void* at = const_cast<std::byte*>(address + offset);
        if (::mincore(at, length, pages.data()) != 0)
            return size;
        const auto count = static_cast<std::ptrdiff_t>(length / kPage);
        resident += kPage * static_cast<std::uint64_t>(
                                std::count_if(pages.begin(), pages.begin() + count,
                                              [](unsigned char page) { return (page & 1) != 0; }));
    }
    return resident;
}

void populate_if_possible(std::byte* address, std::uint64_t size) noexcept {
    (void)::madvise(address, size, kPopulateWrite);
}

}  // namespace causeway::client
