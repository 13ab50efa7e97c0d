#include "demo/sandbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "platform/files.hpp"

namespace causeway::demo {
namespace {

namespace fs = std::filesystem;

// Every file that the dynamic linker has loaded into this program: what a copy of it needs.
std::vector<std::string> loaded_libraries() {
    std::vector<std::string> libraries;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* user) {
            if (info->dlpi_name != nullptr && info->dlpi_name[0] == '/')
                static_cast<std::vector<std::string>*>(user)->emplace_back(info->dlpi_name);
            return 0;
        },
        &libraries);
    return libraries;
}

bool setting_is(const char* path, std::uint64_t value) {
    const auto text = platform::read_small_file(path);
    return text && platform::leading_number(*text) == value;
}

std::string how_to_enable() {
    if (setting_is("/proc/sys/kernel/unprivileged_userns_clone", 0))
        return "sysctl -w kernel.unprivileged_userns_clone=1";
    if (setting_is("/proc/sys/user/max_user_namespaces", 0))
        return "sysctl -w user.max_user_namespaces=15000";
    if (setting_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1))
        return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
    return "run it outside of a container, or in one that may make user namespaces and mounts";
}

// {"child-pid": N, ...}, written by bubblewrap as soon as the sandbox stands.
Result<pid_t> read_child_pid(int fd, const Child& child) {
    std::string text;
    std::array<char, 512> buffer{};
    while (text.find('}') == std::string::npos) {
        pollfd wanted{fd, POLLIN, 0};
        if (::poll(&wanted, 1, 10'000) <= 0)
            return fail(ErrorCode::timed_out, "the sandbox did not start within 10 s");
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got <= 0)
            return fail(ErrorCode::system,
                        fmt::format("the sandbox did not start: {}", child.errors()));
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    const cli::json info = cli::json::parse(text, nullptr, false);
    if (info.is_discarded() || !info.contains("child-pid"))
        return fail(ErrorCode::protocol, fmt::format("bubblewrap said '{}'", text));
    return info["child-pid"].get<pid_t>();
}

}  // namespace

Result<Launcher> Launcher::choose(Wish wish) {
    Launcher launcher;
    std::error_code error;
    launcher.self_ = fs::read_symlink("/proc/self/exe", error);
    if (error)
        return fail(ErrorCode::system, "/proc/self/exe cannot be read: mount /proc");
    launcher.libraries_ = loaded_libraries();
    launcher.bwrap_ = find_program("bwrap");
    if (wish == Wish::plain) {
        launcher.why_plain_ = "plain processes were asked for (--sandbox off)";
        launcher.remedy_ = "run it without --sandbox off";
        return launcher;
    }
    if (launcher.bwrap_.empty()) {
        launcher.why_plain_ = "bubblewrap is not installed (no bwrap in $PATH)";
        launcher.remedy_ = "apt-get install bubblewrap";
    } else if (const auto tried = launcher.try_sandbox(); !tried) {
        launcher.why_plain_ = tried.error().text;
        launcher.remedy_ = how_to_enable();
    }
    if (wish == Wish::sandbox_or_fail && !launcher.sandboxed())
        return fail(ErrorCode::unsupported, fmt::format("no sandbox: {}; to enable it: {}",
                                                        launcher.why_plain_, launcher.remedy_));
    return launcher;
}

std::vector<std::string> Launcher::sandbox_arguments(const std::string& name) const {
    std::vector<std::string> arguments{bwrap_,
                                       "--unshare-user",
                                       "--unshare-pid",
                                       "--unshare-ipc",
                                       "--unshare-uts",
                                       "--unshare-net",
                                       "--uid",
                                       "1000",
                                       "--gid",
                                       "1000",
                                       "--hostname",
                                       name,
                                       "--cap-drop",
                                       "ALL",
                                       "--new-session",
                                       "--as-pid-1",
                                       "--die-with-parent",
                                       "--clearenv"};
    std::set<std::string> folders;
    for (const std::string& library : libraries_) {
        arguments.insert(arguments.end(), {"--ro-bind", library, library});
        folders.insert(fs::path(library).parent_path());
    }
    arguments.insert(arguments.end(),
                     {"--ro-bind", self_, "/causeway", "--setenv", "LD_LIBRARY_PATH",
                      fmt::format("{}", fmt::join(folders, ":")), "--chdir", "/"});
    return arguments;
}

Result<void> Launcher::try_sandbox() {
    CW_TRY_ASSIGN(version_, run_program({bwrap_, "--version"}));
    auto arguments = sandbox_arguments("try");
    arguments.insert(arguments.end(), {"--remount-ro", "/", "/causeway", "demo-role", "nothing"});
    CW_TRY_ASSIGN(Child child,
                  Child::start({.arguments = arguments, .supervised = Supervised::yes}));
    CW_TRY_ASSIGN(const int status, child.wait(10 * kSecond));
    if (status != 0) {
        const std::string said = child.errors();
        return fail(ErrorCode::unsupported, fmt::format("sandboxes are refused here ({})",
                                                        said.substr(0, said.find('\n'))));
    }
    return {};
}

Result<Partner> Launcher::start(const std::string& entrance, const std::vector<std::string>& given,
                                Streams streams) const {
    Partner partner;
    if (!sandboxed()) {
        std::vector<std::string> arguments{self_};
        arguments.insert(arguments.end(), given.begin(), given.end());
        CW_TRY_ASSIGN(partner.child,
                      Child::start({.arguments = arguments,
                                    .environment = {{"CAUSEWAY_SOCKET", entrance + "/fabric.sock"}},
                                    .streams = streams}));
        partner.pid = partner.child.pid();
        return partner;
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return fail_errno("pipe", errno);
    const platform::UniqueFd info(ends[0]);
    platform::UniqueFd info_out(ends[1]);
    auto arguments = sandbox_arguments(fs::path(entrance).filename());
    arguments.insert(
        arguments.end(),
        {"--ro-bind", entrance, "/fabric", "--setenv", "CAUSEWAY_SOCKET", "/fabric/fabric.sock",
         "--remount-ro", "/", "--info-fd", std::to_string(info_out.get()), "/causeway"});
    arguments.insert(arguments.end(), given.begin(), given.end());
    CW_TRY_ASSIGN(partner.child, Child::start({.arguments = arguments,
                                               .streams = streams,
                                               .extra_fd = info_out.get(),
                                               .supervised = Supervised::yes}));
    info_out.reset();
    CW_TRY_ASSIGN(partner.pid, read_child_pid(info.get(), partner.child));
    return partner;
}

}  // namespace causeway::demo
