#include "platform/socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "platform/clock.hpp"
#include "platform/limits.hpp"
#include "support/temp_directory.hpp"

namespace causeway::platform {
namespace {

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

// What no honest client does: `count` descriptors with one message.
void send_descriptors(int socket, const std::string& text, std::size_t count, int descriptor) {
    std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(CMSG_DATA(rights) + i * sizeof(int), &descriptor, sizeof(int));
    }
    ASSERT_EQ(::sendmsg(socket, &header, 0), static_cast<ssize_t>(text.size()));
}

class SocketPair : public testing::Test {
protected:
    std::pair<UniqueFd, UniqueFd> ends_ = make_socket_pair().value();
    int near_ = ends_.first.get();
    int far_ = ends_.second.get();
    std::byte buffer_[64];
};

TEST_F(SocketPair, CarriesWholeMessagesAndKeepsThemApart) {
    ASSERT_TRUE(send_message(near_, bytes("one")).has_value());
    ASSERT_TRUE(send_message(near_, bytes("three")).has_value());
    const Received first = receive_message(far_, buffer_).value();
    EXPECT_EQ(first.size, 3u);
    EXPECT_FALSE(first.truncated || first.too_many || first.descriptor_lost);
    EXPECT_FALSE(first.descriptor.valid());
    EXPECT_EQ(receive_message(far_, buffer_)->size, 5u);
    EXPECT_EQ(std::memcmp(buffer_, "three", 5), 0);
    EXPECT_EQ(receive_message(far_, buffer_).error().code, ErrorCode::again);
}

TEST_F(SocketPair, TellsOfAMessageLongerThanTheBuffer) {
    ASSERT_TRUE(send_message(near_, bytes(std::string(65, 'x'))).has_value());
    ASSERT_TRUE(send_message(near_, bytes("next")).has_value());
    const Received cut = receive_message(far_, buffer_).value();
    EXPECT_TRUE(cut.truncated);
    EXPECT_EQ(cut.size, 64u);
    EXPECT_EQ(receive_message(far_, buffer_)->size, 4u) << "the rest does not come later";
}

TEST_F(SocketPair, PassesADescriptorCloseOnExec) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const UniqueFd reader(pipe_ends[0]);
    UniqueFd writer(pipe_ends[1]);
    ASSERT_TRUE(send_message(near_, bytes("fd"), writer.get()).has_value());
    writer.reset();
    Received received = receive_message(far_, buffer_).value();
    ASSERT_TRUE(received.descriptor.valid());
    EXPECT_FALSE(received.too_many);
    EXPECT_EQ(::fcntl(received.descriptor.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ASSERT_EQ(::write(received.descriptor.get(), "x", 1), 1);
    char c = 0;
    EXPECT_EQ(::read(reader.get(), &c, 1), 1);
    EXPECT_EQ(c, 'x');
}

TEST_F(SocketPair, LetsOneDescriptorInHoweverManyCome) {
    const UniqueFd null(::open("/dev/null", O_RDONLY));
    for (const std::size_t count : {2u, 3u, 253u}) {
        const auto before = open_file_count();
        send_descriptors(near_, "many", count, null.get());
        {
            const Received received = receive_message(far_, buffer_).value();
            EXPECT_TRUE(received.too_many) << count;
            EXPECT_TRUE(received.descriptor.valid()) << count;
            EXPECT_EQ(open_file_count().value_or(0), before.value_or(0) + 1) << count;
        }
        EXPECT_EQ(open_file_count(), before);
    }
}

TEST_F(SocketPair, TellsOfADescriptorThatFoundNoRoom) {
    const UniqueFd null(::open("/dev/null", O_RDONLY));
    ASSERT_TRUE(send_message(near_, bytes("fd"), null.get()).has_value());
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit none{3, limit.rlim_max};  // all numbers from 3 on are out of reach
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto received = receive_message(far_, buffer_);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    ASSERT_TRUE(received.has_value());
    EXPECT_EQ(received->size, 2u);
    EXPECT_TRUE(received->descriptor_lost);
    EXPECT_FALSE(received->descriptor.valid());
}

TEST_F(SocketPair, ADescriptorWithAnEmptyMessageDoesNotLeak) {
    const UniqueFd null(::open("/dev/null", O_RDONLY));
    const auto before = open_file_count();
    ASSERT_TRUE(send_message(near_, {}, null.get()).has_value());
    {
        const auto received = receive_message(far_, buffer_);
        ASSERT_TRUE(received.has_value());  // handed on: closing it may hang
        EXPECT_EQ(received->size, 0U);
        EXPECT_TRUE(received->descriptor.valid());
    }
    EXPECT_EQ(open_file_count(), before);
}

TEST_F(SocketPair, AFullQueueIsAgainAndRaisesNothing) {
    const std::string message(1000, 'x');
    Result<void> result;
    int sent = 0;
    while ((result = send_message(near_, bytes(message))).has_value())
        ++sent;
    EXPECT_EQ(result.error().code, ErrorCode::again);
    EXPECT_GT(sent, 0);
    // Blocking::yes on a non-blocking socket does not wait either: the socket's mode counts.
    EXPECT_EQ(send_message(near_, bytes(message), -1, Blocking::yes).error().code,
              ErrorCode::again);
}

TEST_F(SocketPair, TheEndOfThePeerIsPeerGone) {
    ASSERT_TRUE(send_message(far_, bytes("last")).has_value());
    ends_.second.reset();
    EXPECT_EQ(receive_message(near_, buffer_)->size, 4u) << "what was sent before still arrives";
    EXPECT_EQ(receive_message(near_, buffer_).error().code, ErrorCode::peer_gone);
    EXPECT_EQ(send_message(near_, bytes("x")).error().code, ErrorCode::peer_gone);
}

TEST_F(SocketPair, WaitsUntilTheDeadlineOrTheMessage) {
    const std::uint64_t before = monotonic_ns();
    const auto late = receive_message(near_, buffer_, Blocking::yes, before + 20'000'000);
    EXPECT_EQ(late.error().code, ErrorCode::timed_out);
    EXPECT_GE(monotonic_ns() - before, 20'000'000u);
    EXPECT_EQ(receive_message(near_, buffer_, Blocking::yes, 1).error().code, ErrorCode::timed_out)
        << "long past";

    std::thread sender([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        EXPECT_TRUE(send_message(far_, bytes("now")).has_value());
    });
    EXPECT_EQ(receive_message(near_, buffer_, Blocking::yes)->size, 3u);
    sender.join();
}

TEST_F(SocketPair, KnowsThePeer) {
    const Credentials peer = peer_credentials(near_).value();
    EXPECT_EQ(peer.pid, ::getpid());
    EXPECT_EQ(peer.uid, ::geteuid());
    EXPECT_EQ(peer.gid, ::getegid());
    EXPECT_FALSE(peer_credentials(-1).has_value());
}

TEST(Socket, PidfdTellsOfThePeersDeath) {
    const test::TempDirectory directory;
    const std::string path = directory / "s";
    const UniqueFd listener = listen_at(path, 0600).value();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto connection = connect_to(path);
        ::pause();
        ::_exit(connection.has_value() ? 0 : 1);
    }
    pollfd ready{.fd = listener.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&ready, 1, 60'000), 1);
    const UniqueFd connection = accept_from(listener.get()).value();
    EXPECT_EQ(peer_credentials(connection.get())->pid, child);
    const auto pidfd = peer_pidfd(connection.get());
    if (!pidfd.has_value() && pidfd.error().code == ErrorCode::unsupported) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        GTEST_SKIP() << pidfd.error().text;
    }
    ASSERT_TRUE(pidfd.has_value()) << pidfd.error().text;
    pollfd death{.fd = pidfd->get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&death, 1, 0), 0);
    ::kill(child, SIGKILL);
    EXPECT_EQ(::poll(&death, 1, 60'000), 1);
    ::waitpid(child, nullptr, 0);
}

class SocketPath : public testing::Test {
protected:
    test::TempDirectory directory_;
    std::string path_ = directory_ / "fabric.sock";
};

TEST_F(SocketPath, ListensConnectsAndAccepts) {
    const UniqueFd listener = listen_at(path_, 0640).value();
    struct stat facts {};
    ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777u, 0640u);
    EXPECT_EQ(accept_from(listener.get()).error().code, ErrorCode::again);
    const UniqueFd client = connect_to(path_).value();
    const UniqueFd server = accept_from(listener.get()).value();
    ASSERT_TRUE(send_message(client.get(), bytes("hello")).has_value());
    std::byte buffer[16];
    EXPECT_EQ(receive_message(server.get(), buffer)->size, 5u);
    EXPECT_EQ(receive_message(server.get(), buffer).error().code, ErrorCode::again)
        << "accepted sockets do not block";
}

TEST_F(SocketPath, ReplacesAStaleSocketButNotALiveOne) {
    UniqueFd listener = listen_at(path_, 0600).value();
    const auto second = listen_at(path_, 0600);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, ErrorCode::name_in_use);
    EXPECT_TRUE(connect_to(path_).has_value()) << "the live one is unharmed";
    listener.reset();
    const Error refused = connect_to(path_).error();
    EXPECT_EQ(refused.code, ErrorCode::no_adapter);
    EXPECT_NE(refused.text.find("nobody listens"), std::string::npos);
    EXPECT_TRUE(listen_at(path_, 0600).has_value());
}

TEST_F(SocketPath, LeavesOtherFilesAlone) {
    const UniqueFd file(::open(path_.c_str(), O_CREAT | O_RDWR, 0600));
    EXPECT_EQ(listen_at(path_, 0600).error().code, ErrorCode::name_in_use);
    EXPECT_EQ(::access(path_.c_str(), F_OK), 0);
    const std::string link = directory_ / "link";
    ASSERT_EQ(::symlink("nowhere", link.c_str()), 0);
    EXPECT_EQ(listen_at(link, 0600).error().code, ErrorCode::name_in_use);
}

TEST_F(SocketPath, SaysWhyItCannotConnect) {
    EXPECT_EQ(connect_to(path_).error().code, ErrorCode::no_adapter);
    EXPECT_EQ(connect_to(path_ + "/below").error().code, ErrorCode::no_adapter);
    EXPECT_EQ(connect_to("").error().code, ErrorCode::invalid_argument);
    const std::string longer = "/" + std::string(107, 'x');
    const Error error = connect_to(longer).error();
    EXPECT_EQ(error.code, ErrorCode::invalid_argument);
    EXPECT_NE(error.text.find("has 108 bytes; at most 107"), std::string::npos) << error.text;
    EXPECT_EQ(listen_at(longer, 0600).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(connect_to(longer.substr(0, 107)).error().code, ErrorCode::no_adapter)
        << "107 bytes fit";
    EXPECT_EQ(connect_to(std::string("/a\0b", 4)).error().code, ErrorCode::invalid_argument);

    const UniqueFd stream(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    ASSERT_EQ(::bind(stream.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(stream.get(), 1), 0);
    EXPECT_EQ(connect_to(path_).error().code, ErrorCode::invalid_argument);
}

TEST_F(SocketPath, AcceptingWithoutRoomForDescriptorsIsALimitAndCanGoOnLater) {
    const UniqueFd listener = listen_at(path_, 0600).value();
    const UniqueFd client = connect_to(path_).value();
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit none{3, limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto refused = accept_from(listener.get());
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(refused.error().code, ErrorCode::limit_reached);
    EXPECT_TRUE(accept_from(listener.get()).has_value());
}

TEST_F(SocketPath, PermissionIsDenied) {
    const UniqueFd listener = listen_at(path_, 0600).value();
    ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root to become somebody else";
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        if (::setresuid(65533, 65533, 65533) != 0)
            ::_exit(1);
        const auto result = connect_to(path_);
        ::_exit(!result.has_value() && result.error().code == ErrorCode::denied ? 0 : 2);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace causeway::platform
