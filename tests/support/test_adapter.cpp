#include "support/test_adapter.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <algorithm>

#include <csignal>
#include <filesystem>
#include <stdexcept>

namespace causeway::test {
namespace {

constexpr int kReadyLimit = 30'000;  // ms

}  // namespace

TestAdapter::TestAdapter(const std::vector<std::string>& entrances,
                         const std::vector<std::string>& options) {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0)
        throw std::runtime_error("pipe2");
    const int inherited = ::dup(ready[1]);  // not close-on-exec
    std::vector<std::string> arguments{program("causewayd"), "--runtime-dir", directory(),
                                       "--ready-fd", std::to_string(inherited)};
    for (const std::string& entrance : entrances)
        arguments.insert(arguments.end(), {"--entrance", entrance});
    if (std::find(options.begin(), options.end(), "--config") == options.end())
        arguments.insert(arguments.end(), {"--config", "none"});
    arguments.insert(arguments.end(), options.begin(), options.end());
    daemon_ = std::make_unique<Command>(arguments);
    ::close(inherited);
    ::close(ready[1]);
    pollfd waiting{ready[0], POLLIN, 0};
    char mark = 0;
    const bool told = ::poll(&waiting, 1, kReadyLimit) == 1 && ::read(ready[0], &mark, 1) == 1;
    ::close(ready[0]);
    if (!told)
        throw std::runtime_error("causewayd did not get ready: " + log());
}

Finished TestAdapter::stop() {
    daemon_->kill(SIGTERM);
    return daemon_->wait();
}

std::vector<std::string> TestAdapter::files() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
        if (!entry.is_directory())
            found.push_back(entry.path());
    }
    return found;
}

}  // namespace causeway::test
