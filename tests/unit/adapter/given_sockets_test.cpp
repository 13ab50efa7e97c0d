#include "adapter/given_sockets.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "adapter/entrance.hpp"
#include "platform/socket.hpp"
#include "support/temp_directory.hpp"

namespace causeway::adapter {
namespace {

constexpr int kHigh = 200;  // descriptors from here on are free in a test

// What a service manager leaves behind: sockets from kHigh on, and variables that count them.
class Manager {
public:
    Manager(const std::string& process, const std::string& count) {
        ::setenv("LISTEN_PID", process.c_str(), 1);
        ::setenv("LISTEN_FDS", count.c_str(), 1);
        ::setenv("LISTEN_FDNAMES", "anything", 1);
    }
    explicit Manager(const std::string& count) : Manager(std::to_string(::getpid()), count) {}
    ~Manager() {
        for (int fd = kHigh; fd < next_; ++fd)
            ::close(fd);  // what was given is closed by its owner
    }
    void hold(platform::UniqueFd fd) {
        ASSERT_EQ(::dup2(fd.get(), next_), next_);
        ++next_;
    }
    // The sockets belong to somebody else now.
    void hand_over() { next_ = kHigh; }

private:
    int next_ = kHigh;
};

std::string refusal(const std::string& process, const std::string& count) {
    const Manager manager(process, count);
    const auto given = GivenSockets::from_environment(kHigh);
    return given ? "taken" : given.error().text;
}

TEST(GivenSockets, WithoutManagerThereAreNone) {
    ::unsetenv("LISTEN_PID");
    ::unsetenv("LISTEN_FDS");
    auto given = GivenSockets::from_environment(kHigh);
    ASSERT_TRUE(given.has_value());
    EXPECT_FALSE(given->take("/").valid());
    EXPECT_TRUE(given->check_all_taken("/run").has_value());
}

TEST(GivenSockets, ThoseOfAnotherProcessAreLeftAlone) {
    const Manager manager("1", "1");
    auto given = GivenSockets::from_environment(kHigh);
    ASSERT_TRUE(given.has_value()) << given.error().text;
    EXPECT_TRUE(given->check_all_taken("/run").has_value());
}

TEST(GivenSockets, AreFoundByTheirFileAndHandedOverOnce) {
    const test::TempDirectory directory;
    const std::string path = directory / "fabric.sock";
    std::filesystem::create_directory_symlink(directory.path(), directory / "link");
    Manager manager("1");
    manager.hold(platform::listen_at(path, 0666).value());
    auto given = GivenSockets::from_environment(kHigh);
    ASSERT_TRUE(given.has_value()) << given.error().text;
    manager.hand_over();
    EXPECT_EQ(std::getenv("LISTEN_FDS"), nullptr) << "a child would take them for its own";
    EXPECT_EQ(std::getenv("LISTEN_PID"), nullptr);
    EXPECT_EQ(std::getenv("LISTEN_FDNAMES"), nullptr);

    EXPECT_FALSE(given->take(directory / "other.sock").valid());
    const auto left = given->check_all_taken("/run/elsewhere");
    ASSERT_FALSE(left.has_value());
    EXPECT_NE(left.error().text.find(path), std::string::npos) << left.error().text;
    EXPECT_NE(left.error().text.find("/run/elsewhere"), std::string::npos) << left.error().text;

    const platform::UniqueFd fd = given->take(directory / "link/fabric.sock");
    ASSERT_TRUE(fd.valid());
    EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(::fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_TRUE(given->check_all_taken("/run").has_value());
    EXPECT_FALSE(given->take(path).valid());
}

TEST(GivenSockets, VariablesThatMakeNoSenseAreNamed) {
    const std::string own = std::to_string(::getpid());
    for (const std::string bad : {"", "x", "0", "-1", "1x", "100000", " 1"}) {
        const std::string said = refusal(own, bad);
        EXPECT_NE(said.find("LISTEN_FDS is '" + bad + "'"), std::string::npos) << said;
    }
    for (const std::string bad : {"", "me", "0", "99999999999"}) {
        const std::string said = refusal(bad, "1");
        EXPECT_NE(said.find("LISTEN_PID is '" + bad + "'"), std::string::npos) << said;
    }
}

TEST(GivenSockets, DescriptorsThatAreNoSuchSocketAreNamed) {
    EXPECT_NE(refusal(std::to_string(::getpid()), "1").find("200, which is not open"),
              std::string::npos);
    const test::TempDirectory directory;
    const auto try_with = [](platform::UniqueFd fd) {
        Manager manager("1");
        manager.hold(std::move(fd));
        const auto given = GivenSockets::from_environment(kHigh);
        return given ? std::string("taken") : given.error().text;
    };
    const std::string file =
        try_with(platform::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    EXPECT_NE(file.find("ListenSequentialPacket="), std::string::npos) << file;
    auto pair = platform::make_socket_pair().value();
    const std::string connected = try_with(std::move(pair.first));
    EXPECT_NE(connected.find("descriptor 200"), std::string::npos) << connected;
    platform::UniqueFd stream(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sa_family_t family = AF_UNIX;  // and no more: a name is chosen, which is no path
    ASSERT_EQ(::bind(stream.get(), reinterpret_cast<const sockaddr*>(&family), sizeof family), 0);
    ASSERT_EQ(::listen(stream.get(), 1), 0);
    EXPECT_NE(try_with(std::move(stream)).find("SEQPACKET"), std::string::npos);
}

TEST(Entrance, LeavesTheFileOfASocketThatItWasGiven) {
    const test::TempDirectory directory;
    const std::string path = directory / "fabric.sock";
    auto listener = platform::listen_at(path, 0666).value();
    const platform::UniqueFd kept(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0));
    {
        const auto entrance = Entrance::on(std::move(listener), "", path);
        EXPECT_TRUE(entrance->is_open());
        EXPECT_EQ(entrance->path(), path);
    }
    EXPECT_TRUE(platform::connect_to(path).has_value()) << "who made it still listens";
}

}  // namespace
}  // namespace causeway::adapter
