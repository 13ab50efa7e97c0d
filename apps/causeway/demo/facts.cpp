#include "demo/facts.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace causeway::demo {
namespace {

namespace fs = std::filesystem;

struct MapLine {
    std::string access;
    std::uint64_t inode = 0;
    std::string path;
};

// ADDRESSES ACCESS OFFSET DEVICE INODE PATH
std::optional<std::vector<MapLine>> read_maps(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/maps", pid));
    if (!file)
        return std::nullopt;
    std::vector<MapLine> lines;
    std::string text;
    while (std::getline(file, text)) {
        std::istringstream fields(text);
        std::string addresses, offset, device;
        MapLine line;
        fields >> addresses >> line.access >> offset >> device >> line.inode;
        std::getline(fields >> std::ws, line.path);
        lines.push_back(std::move(line));
    }
    // A process that may not be looked at has an empty file, or one that cannot be read.
    if (lines.empty())
        return std::nullopt;
    return lines;
}

bool is_memory_file(const std::string& path) { return path.rfind("/memfd:", 0) == 0; }

}  // namespace

std::string namespace_of(pid_t pid, const std::string& kind) {
    std::error_code error;
    return fs::read_symlink(fmt::format("/proc/{}/ns/{}", pid, kind), error);
}

std::string status_field(pid_t pid, const std::string& field) {
    std::ifstream file(fmt::format("/proc/{}/status", pid));
    std::string line;
    while (std::getline(file, line)) {
        if (line.rfind(field + ":", 0) != 0)
            continue;
        const auto begin = line.find_first_not_of(" \t", field.size() + 1);
        return begin == std::string::npos ? "" : line.substr(begin);
    }
    return {};
}

std::vector<std::string> mounts_of(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/mountinfo", pid));
    std::vector<std::string> points;
    std::string line;
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        std::string id, parent, device, root, point;
        fields >> id >> parent >> device >> root >> point;
        points.push_back(point);
    }
    return points;
}

std::optional<std::map<std::uint64_t, std::string>> mapped_memory_files(pid_t pid) {
    const auto lines = read_maps(pid);
    if (!lines)
        return std::nullopt;
    std::map<std::uint64_t, std::string> files;
    for (const MapLine& line : *lines) {
        if (is_memory_file(line.path) && line.access.back() == 's')
            files.emplace(line.inode, line.path);
    }
    return files;
}

std::vector<std::string> other_shared_mappings(pid_t pid) {
    std::vector<std::string> others;
    for (const MapLine& line : read_maps(pid).value_or(std::vector<MapLine>{})) {
        if (line.access.back() == 's' && line.access[1] == 'w' && !is_memory_file(line.path))
            others.push_back(line.path);
    }
    return others;
}

std::optional<std::set<std::uint64_t>> open_memory_files(pid_t pid) {
    std::error_code error;
    std::set<std::uint64_t> inodes;
    for (const auto& entry : fs::directory_iterator(fmt::format("/proc/{}/fd", pid), error)) {
        std::error_code gone;
        if (!is_memory_file(fs::read_symlink(entry.path(), gone)))
            continue;
        struct stat facts {};
        if (::stat(entry.path().c_str(), &facts) == 0)
            inodes.insert(facts.st_ino);
    }
    if (error)
        return std::nullopt;
    return inodes;
}

std::optional<Holdings> holdings_of(pid_t pid) {
    const auto files = mapped_memory_files(pid);
    const auto descriptors = names_in(fmt::format("/proc/{}/fd", pid));
    if (!files || !descriptors)
        return std::nullopt;
    return Holdings{descriptors->size(), files->size()};
}

std::optional<std::vector<std::string>> names_in(const std::string& directory) {
    std::error_code error;
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory, error))
        names.push_back(entry.path().filename());
    if (error)
        return std::nullopt;
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace causeway::demo
