#include "calibrate/save.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "platform/fd.hpp"

namespace causeway::calibrate {
namespace {

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail_errno_format(errno, "write %s", path.c_str());
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fchmod(fd, 0644) != 0 || ::fsync(fd) != 0)
        return fail_errno_format(errno, "write %s", path.c_str());
    return {};
}

}  // namespace

Result<std::string> default_copies_path() {
    if (::geteuid() == 0)
        return std::string(engine::kSystemCopies);
    std::string path = engine::user_copies_path();
    if (path.empty())
        return fail(ErrorCode::invalid_argument,
                    "neither $XDG_CONFIG_HOME nor $HOME is set: say where with --save FILE");
    return path;
}

Result<void> save_plan(const std::string& path, const engine::CopyPlan& plan,
                       const std::string& comment) {
    const std::filesystem::path directory = std::filesystem::path(path).parent_path();
    if (std::error_code error;
        !directory.empty() && (std::filesystem::create_directories(directory, error), error))
        return fail(ErrorCode::system,
                    fmt::format("make the directory {}: {}", directory.string(), error.message()));
    std::string beside = path + ".XXXXXX";
    const platform::UniqueFd file(::mkostemp(beside.data(), O_CLOEXEC));
    if (!file)
        return fail_errno_format(errno, "write %s", path.c_str());
    const std::string text = engine::format_copy_plan(plan, engine::this_copy_machine(), comment);
    const auto written = write_all(file.get(), text, path);
    if (!written.has_value() || ::rename(beside.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(beside.c_str());
        CW_TRY(written);
        return fail_errno_format(error, "replace %s", path.c_str());
    }
    const engine::LoadedCopies copies = engine::load_copies(path);
    if (copies.state != engine::LoadedCopies::State::from_file)
        return fail(ErrorCode::system, copies.problem);
    return {};
}

}  // namespace causeway::calibrate
