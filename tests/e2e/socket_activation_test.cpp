// causewayd at a socket that a service manager has opened. The test plays the manager.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "platform/socket.hpp"
#include "support/command.hpp"
#include "support/temp_directory.hpp"

namespace causeway::test {
namespace {

using ::testing::HasSubstr;

// The manager: makes RUN/fabric.sock and starts causewayd with it as descriptor 3.
class SocketActivation : public ::testing::Test {
protected:
    TempDirectory files_;
    std::string run_ = files_ / "run";
    std::string socket_ = run_ + "/fabric.sock";
    platform::UniqueFd listener_;
    pid_t daemon_ = -1;
    std::string config_ = "none";

    void SetUp() override {
        std::filesystem::create_directory(run_);
        std::filesystem::permissions(run_, std::filesystem::perms(0755));
        listener_ = platform::listen_at(socket_, 0666).value();
        // As systemd hands it on.
        ASSERT_TRUE(platform::set_blocking(listener_.get(), platform::Blocking::yes).has_value());
    }
    void TearDown() override {
        if (daemon_ > 0) {
            ::kill(daemon_, SIGKILL);
            ::waitpid(daemon_, nullptr, 0);
        }
    }

    // LISTEN_PID is known only to the process itself, so a shell stands between, as `exec` does in
    // a unit with Type=notify.
    void start(const std::string& count = "1", const std::vector<std::string>& options = {}) {
        std::vector<std::string> arguments{"sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"",
                                           program("causewayd")};
        arguments.insert(arguments.end(), {"--config", config_, "--movers", "1", "--log-level",
                                           "error", "--runtime-dir", run_});
        arguments.insert(arguments.end(), options.begin(), options.end());
        std::vector<char*> argv;
        for (std::string& argument : arguments)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        const std::string errors = files_ / "errors";
        daemon_ = ::fork();
        ASSERT_GE(daemon_, 0);
        if (daemon_ != 0)
            return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int log = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ::dup2(log, STDERR_FILENO);
        // dup2 onto itself would leave it close-on-exec.
        const int high = ::fcntl(listener_.get(), F_DUPFD_CLOEXEC, 100);
        ::dup2(high, 3);
        ::setenv("LISTEN_FDS", count.c_str(), 1);
        ::execvp(argv[0], argv.data());
        ::_exit(127);
    }
    int end_of_daemon() {
        int status = 0;
        ::waitpid(daemon_, &status, 0);
        daemon_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    [[nodiscard]] std::string errors() const {
        std::string text;
        platform::UniqueFd fd(::open((files_ / "errors").c_str(), O_RDONLY | O_CLOEXEC));
        char piece[4096];
        for (ssize_t n = 0; (n = ::read(fd.get(), piece, sizeof piece)) > 0;)
            text.append(piece, static_cast<std::size_t>(n));
        return text;
    }
    [[nodiscard]] ino_t inode() const {
        struct stat facts {};
        return ::stat(socket_.c_str(), &facts) == 0 ? facts.st_ino : 0;
    }
    [[nodiscard]] bool somebody_waits() const {
        pollfd waiting{.fd = listener_.get(), .events = POLLIN, .revents = 0};
        return ::poll(&waiting, 1, 0) == 1;
    }
    [[nodiscard]] std::unique_ptr<Command> ask() const {
        return std::make_unique<Command>(
            std::vector<std::string>{program("causeway"), "info", "--socket", socket_, "--json"});
    }
};

TEST_F(SocketActivation, ServesWhoConnectedBeforeTheDaemonStarted) {
    const auto early = ask();
    ASSERT_TRUE(eventually([this] { return somebody_waits(); }));
    start();
    const Finished answered = early->wait();
    EXPECT_EQ(answered.status, 0) << answered.err << errors();
    EXPECT_THAT(answered.out, HasSubstr("\"adapter\""));
}

TEST_F(SocketActivation, TheSocketOutlivesTheDaemon) {
    const ino_t before = inode();
    start();
    EXPECT_EQ(ask()->wait().status, 0) << errors();
    ::kill(daemon_, SIGTERM);
    EXPECT_EQ(end_of_daemon(), 0) << errors();
    EXPECT_EQ(inode(), before) << "it took away, or replaced, a socket that is not its own";

    // Between two daemons, also when the first is killed.
    const auto between = ask();
    ASSERT_TRUE(eventually([this] { return somebody_waits(); }));
    start();
    EXPECT_EQ(between->wait().status, 0) << errors();
    ::kill(daemon_, SIGKILL);
    EXPECT_EQ(end_of_daemon(), 128 + SIGKILL);
    const auto again = ask();
    ASSERT_TRUE(eventually([this] { return somebody_waits(); }));
    start();
    EXPECT_EQ(again->wait().status, 0) << errors();
    EXPECT_EQ(inode(), before);
}

TEST_F(SocketActivation, NamedEntrancesStandBesideIt) {
    start("1", {"--entrance", "orders"});
    ASSERT_EQ(ask()->wait().status, 0) << errors();
    const Finished inside = run_command(
        {program("causeway"), "info", "--socket", run_ + "/orders/fabric.sock", "--json"});
    EXPECT_EQ(inside.status, 0) << inside.err;
    ::kill(daemon_, SIGTERM);
    EXPECT_EQ(end_of_daemon(), 0);
    EXPECT_FALSE(std::filesystem::exists(run_ + "/orders/fabric.sock")) << "its own is taken away";
    EXPECT_TRUE(std::filesystem::exists(socket_));
}

// Its entrance is configured, is not, and is again: the manager has gone on listening there.
TEST_F(SocketActivation, AnEntranceOfTheManagersComesBack) {
    config_ = files_ / "causeway.toml";
    const auto configure = [this](const std::string& text) {
        std::ofstream(config_) << "adapter.open_entrance = true\n" << text;
    };
    const auto apply = [this] {
        const Finished applied =
            run_command({program("causeway"), "config", "apply", "--socket", socket_});
        EXPECT_EQ(applied.status, 0) << applied.out << applied.err << errors();
        return applied.out + applied.err;
    };
    const std::string entrance = run_ + "/orders/fabric.sock";
    std::filesystem::create_directory(run_ + "/orders");
    std::filesystem::permissions(run_ + "/orders", std::filesystem::perms(0755));
    std::filesystem::remove(socket_);
    listener_ = platform::listen_at(entrance, 0666).value();
    configure("[partition.orders]\n");
    start();
    ASSERT_TRUE(eventually([this] { return ask()->wait().status == 0; })) << errors();
    const std::vector<std::string> inside{program("causeway"), "info", "--socket", entrance};
    EXPECT_EQ(run_command(inside).status, 0) << errors();
    for (int round = 0; round < 2; ++round) {
        configure("");
        apply();
        EXPECT_TRUE(std::filesystem::exists(entrance)) << "it is the manager's";
        configure("[partition.orders]\n");
        EXPECT_THAT(apply(), ::testing::Not(HasSubstr("cannot be opened")));
        EXPECT_EQ(run_command(inside).status, 0) << errors();
    }
}

TEST_F(SocketActivation, SaysWhatIsWrongWithWhatItWasGiven) {
    start("many");
    EXPECT_EQ(end_of_daemon(), 1);
    EXPECT_THAT(errors(), HasSubstr("LISTEN_FDS is 'many'"));

    start("2");  // descriptor 4 is not there
    EXPECT_EQ(end_of_daemon(), 1);
    EXPECT_THAT(errors(), HasSubstr("descriptor 4"));

    run_ = files_ / "elsewhere";
    start();
    EXPECT_EQ(end_of_daemon(), 1);
    EXPECT_THAT(errors(), HasSubstr(socket_));
    EXPECT_THAT(errors(), HasSubstr(run_));

    listener_ = platform::make_socket_pair().value().first;
    run_ = files_ / "run";
    start();
    EXPECT_EQ(end_of_daemon(), 1);
    EXPECT_THAT(errors(), HasSubstr("ListenSequentialPacket="));
    EXPECT_NE(inode(), 0u) << "the socket's file is gone";
}

}  // namespace
}  // namespace causeway::test
