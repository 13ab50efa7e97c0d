#include "budget/path/mappings.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "platform/fd.hpp"

namespace causeway::test {
namespace {

int count_in(std::span<const std::byte> memory, const Pattern& pattern, std::uint64_t offset,
             std::size_t size) {
    int count = 0;
    for (std::size_t at = 0; at + size <= memory.size(); ++at)
        count += pattern.stands_at(&memory[at], offset, size) ? 1 : 0;
    return count;
}

}  // namespace

std::vector<Mapped> mappings_of(const std::string& process) {
    std::vector<Mapped> found;
    std::ifstream maps("/proc/" + process + "/maps");
    for (std::string line; std::getline(maps, line);) {
        std::istringstream words(line);
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        char dash = 0;
        std::string rights;
        std::string offset;
        std::string device;
        std::string inode;
        std::string name;
        words >> std::hex >> begin >> dash >> end >> rights >> offset >> device >> inode >> std::ws;
        std::getline(words, name);
        if (rights.empty() || rights[0] != 'r' || name == "[vvar]" || name == "[vsyscall]")
            continue;
        if (name.starts_with("/memfd:"))
            name = name.substr(7, name.find(' ') - 7);
        found.push_back({{reinterpret_cast<const std::byte*>(begin), end - begin},
                         rights[1] == 'w',
                         device + " " + inode,
                         name});
    }
    return found;
}

std::vector<Place> find_pattern(const Pattern& pattern, std::uint64_t offset, std::size_t size) {
    std::map<std::string, int> counts;
    std::set<std::string> files;
    for (const Mapped& mapped : own_mappings()) {
        if (!mapped.writable)
            continue;
        const bool shared = mapped.name.starts_with("causeway-");
        if (shared && !files.insert(mapped.file).second)
            continue;
        const int count = count_in(mapped.bytes, pattern, offset, size);
        if (count != 0)
            counts[shared ? mapped.name : "private"] += count;
    }
    std::vector<Place> places;
    for (const auto& [name, count] : counts)
        places.push_back({name, count});
    return places;
}

int find_pattern_in(pid_t process, const Pattern& pattern, std::uint64_t offset, std::size_t size) {
    const std::string name = std::to_string(process);
    const platform::UniqueFd memory(::open(("/proc/" + name + "/mem").c_str(), O_RDONLY));
    if (!memory)
        return -1;
    int count = 0;
    for (const Mapped& mapped : mappings_of(name)) {
        if (!mapped.writable || mapped.name.starts_with("causeway-"))
            continue;
        std::vector<std::byte> copy(mapped.bytes.size());
        const auto from = reinterpret_cast<std::uintptr_t>(mapped.bytes.data());
        const ssize_t n = ::pread(memory.get(), copy.data(), copy.size(), static_cast<off_t>(from));
        if (n < 0)
            return -1;
        count += count_in({copy.data(), static_cast<std::size_t>(n)}, pattern, offset, size);
    }
    return count;
}

}  // namespace causeway::test
