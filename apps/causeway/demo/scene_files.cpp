// A real file tree goes through the fabric: tar here, `causeway pipe` in two sandboxes, checksums.
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "demo/role.hpp"
#include "demo/stage.hpp"
#include "platform/clock.hpp"
#include "stats.hpp"
#include "text.hpp"

namespace causeway::demo {
namespace {

namespace fs = std::filesystem;

constexpr char kService[] = "files";

struct Tree {
    std::string names;  // each ended by NUL, for tar
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::vector<std::string> roots;
};

// Readable regular files below the given directories, until there are `wanted` bytes.
Tree collect(const std::vector<std::string>& roots, std::uint64_t wanted) {
    Tree tree;
    for (const std::string& root : roots) {
        std::error_code error;
        if (tree.bytes >= wanted || !fs::is_directory(root, error))
            continue;
        tree.roots.push_back(root);
        const auto options = fs::directory_options::skip_permission_denied;
        for (auto it = fs::recursive_directory_iterator(root, options, error);
             !error && it != fs::end(it) && tree.bytes < wanted; it.increment(error)) {
            std::error_code gone;
            if (!fs::is_regular_file(it->symlink_status(gone)) ||
                ::access(it->path().c_str(), R_OK) != 0)
                continue;
            tree.names += it->path().string() + '\0';
            tree.bytes += it->file_size(gone);
            ++tree.files;
        }
    }
    return tree;
}

Result<platform::UniqueFd> make_archive(const Tree& tree) {
    CW_TRY_ASSIGN(const platform::UniqueFd names, memory_file("causeway-demo-names"));
    CW_TRY_ASSIGN(platform::UniqueFd archive, memory_file("causeway-demo-archive"));
    if (::write(names.get(), tree.names.data(), tree.names.size()) !=
        static_cast<ssize_t>(tree.names.size()))
        return fail_errno("write of a list of names", errno);
    ::lseek(names.get(), 0, SEEK_SET);
    CW_TRY_ASSIGN(Child tar, Child::start({.arguments = {"tar", "--create", "--null",
                                                         "--files-from=-", "--absolute-names"},
                                           .streams = {names.get(), archive.get()}}));
    CW_TRY_ASSIGN(const int status, tar.wait(60 * kSecond));
    if (status != 0)
        return fail(ErrorCode::system,
                    fmt::format("tar ended with status {}: {}", status, tar.errors()));
    return archive;
}

Result<std::string> checksum(int fd) {
    ::lseek(fd, 0, SEEK_SET);
    CW_TRY_ASSIGN(const std::string line, run_program({"sha256sum"}, fd));
    return line.substr(0, line.find(' '));
}

Result<std::uint64_t> files_in_archive(int fd) {
    ::lseek(fd, 0, SEEK_SET);
    CW_TRY_ASSIGN(const platform::UniqueFd list, memory_file("causeway-demo-list"));
    CW_TRY_ASSIGN(Child tar, Child::start({.arguments = {"tar", "--list", "--absolute-names"},
                                           .streams = {fd, list.get()}}));
    CW_TRY_ASSIGN(const int status, tar.wait(60 * kSecond));
    if (status != 0)
        return fail(ErrorCode::system,
                    fmt::format("tar ended with status {}: {}", status, tar.errors()));
    struct stat facts {};
    ::fstat(list.get(), &facts);
    const std::string text = file_text(list.get(), static_cast<std::size_t>(facts.st_size));
    return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) +
           (text.empty() ? 0 : 1);
}

std::uint64_t size_of(int fd) {
    struct stat facts {};
    return ::fstat(fd, &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

Result<void> wait_for_listener(const std::string& socket, const std::string& name, Child& child) {
    for (int i = 0; i < 1000; ++i) {
        CW_TRY_ASSIGN(const auto rows,
                      cli::stats_rows<abi::PartitionRow>(socket, abi::StatsKind::partitions));
        for (const auto& row : rows) {
            if (cli::array_text(row.name) == name && row.listeners > 0)
                return {};
        }
        ::poll(nullptr, 0, 5);
    }
    return fail(ErrorCode::timed_out,
                fmt::format("{} does not listen; it said: {}", name, child.errors()));
}

Result<void> expect_end(Child& child, const std::string& what) {
    CW_TRY_ASSIGN(const int status, child.wait(60 * kSecond));
    if (status != 0)
        return fail(ErrorCode::system,
                    fmt::format("{} ended with status {}: {}", what, status, child.errors()));
    return {};
}

}  // namespace

Result<void> Stage::send_files() {
    story.step("A file tree goes from one to the other");
    std::vector<std::string> roots = options.trees;
    if (roots.empty())
        roots = {"/usr/share/doc", "/usr/share", "/usr/include", "/usr/lib", "/etc"};
    const Tree tree = collect(roots, options.megabytes << 20);
    if (tree.files == 0)
        return fail(ErrorCode::not_found,
                    fmt::format("there are no files to send in {}: name a directory with --tree",
                                fmt::join(roots, ", ")));
    CW_TRY_ASSIGN(const platform::UniqueFd archive, make_archive(tree));
    CW_TRY_ASSIGN(const std::string sent, checksum(archive.get()));
    ::lseek(archive.get(), 0, SEEK_SET);
    CW_TRY_ASSIGN(const platform::UniqueFd received, memory_file("causeway-demo-received"));
    story.line(fmt::format("tar of {}: {} files, {}", fmt::join(tree.roots, ", "), tree.files,
                           cli::human_bytes(size_of(archive.get()))));
    story.line(fmt::format("in {}: causeway pipe --connect {}/{} < archive", kOwner, kNeighbour,
                           kService));
    story.line(fmt::format("in {}: causeway pipe --listen {} > copy", kNeighbour, kService));

    CW_TRY_ASSIGN(
        Partner receiver,
        launcher.start(entrance(kNeighbour), {"pipe", "--listen", kService}, {-1, received.get()}));
    CW_TRY(wait_for_listener(adapter.socket(), kNeighbour, receiver.child));
    const std::uint64_t begin = platform::monotonic_ns();
    CW_TRY_ASSIGN(Partner sender,
                  launcher.start(entrance(kOwner),
                                 {"pipe", "--connect", fmt::format("{}/{}", kNeighbour, kService)},
                                 {archive.get(), -1}));
    CW_TRY(expect_end(receiver.child, "the receiving pipe"));
    CW_TRY(expect_end(sender.child, "the sending pipe"));
    const double seconds = static_cast<double>(platform::monotonic_ns() - begin) / 1e9;
    CW_TRY_ASSIGN(const std::string got, checksum(received.get()));
    story.line(fmt::format("sha256 sent      {}", sent));
    story.line(fmt::format("sha256 received  {}", got));
    story.claim(sent == got && size_of(received.get()) == size_of(archive.get()),
                fmt::format("the same, in {:.2f} s including both programs' start ({:.2f} GB/s)",
                            seconds, static_cast<double>(size_of(archive.get())) / seconds / 1e9));
    CW_TRY_ASSIGN(const std::uint64_t files, files_in_archive(received.get()));
    story.claim(files == tree.files, fmt::format("the copy unpacks to {} files", files));
    return {};
}

}  // namespace causeway::demo
