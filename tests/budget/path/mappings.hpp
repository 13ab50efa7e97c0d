// What this process or another has mapped, as /proc tells.
//
// Threading: any. Ownership: none; a span is good as long as the mapping stands.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace causeway::test {

struct Mapped {
    std::span<const std::byte> bytes;  // addresses of its process
    bool writable = false;
    std::string file;  // device and inode: equal for two mappings of one file; "00:00 0": none
    std::string name;  // "causeway-qp", "[stack]", "/usr/lib/...", "" (anonymous)
};

// Those that can be read.
[[nodiscard]] std::vector<Mapped> mappings_of(const std::string& process);
[[nodiscard]] inline std::vector<Mapped> own_mappings() { return mappings_of("self"); }

// How often the `size` bytes of pattern `seed` that begin at offset `at` of it stand in memory, by
// name of mapping; a file that is mapped twice counts once. The pattern itself is never spelt out,
// so that the search does not find itself.
struct Pattern {
    std::uint64_t seed = 0;

    [[nodiscard]] std::uint8_t at(std::uint64_t offset) const noexcept {
        std::uint64_t z = seed + offset * 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return static_cast<std::uint8_t>(z >> 56);
    }
    [[nodiscard]] bool stands_at(const std::byte* memory, std::uint64_t offset,
                                 std::size_t size) const noexcept {
        for (std::size_t i = 0; i < size; ++i) {
            if (static_cast<std::uint8_t>(memory[i]) != at(offset + i))
                return false;
        }
        return true;
    }
};

struct Place {
    std::string name;
    int count = 0;
};
[[nodiscard]] std::vector<Place> find_pattern(const Pattern& pattern, std::uint64_t offset,
                                              std::size_t size);
// In memory that another process has written and does not share with this one; -1: it may not be
// looked at.
[[nodiscard]] int find_pattern_in(pid_t process, const Pattern& pattern, std::uint64_t offset,
                                  std::size_t size);

}  // namespace causeway::test
