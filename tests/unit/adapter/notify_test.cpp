#include "adapter/notify.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "platform/fd.hpp"
#include "support/temp_directory.hpp"

namespace causeway::adapter {
namespace {

class NotifySocket {
public:
    explicit NotifySocket(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            std::abort();
        ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    }
    ~NotifySocket() { ::unsetenv("NOTIFY_SOCKET"); }
    std::string next() {
        char text[64];
        const ssize_t size = ::recv(socket_.get(), text, sizeof text, MSG_DONTWAIT);
        return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
    }

private:
    platform::UniqueFd socket_;
};

TEST(Notify, TellsTheServiceManager) {
    const test::TempDirectory directory;
    NotifySocket manager(directory / "notify");
    ASSERT_TRUE(notify_manager("READY=1").has_value());
    EXPECT_EQ(manager.next(), "READY=1");
}

TEST(Notify, WithoutManagerThereIsNothingToDo) {
    ::unsetenv("NOTIFY_SOCKET");
    EXPECT_TRUE(notify_manager("READY=1").has_value());
}

TEST(Notify, SaysWhatIsWrongWithTheAddress) {
    for (const std::string& bad : {std::string("relative/path"), "/" + std::string(200, 'x'),
                                   std::string("/nowhere/at/all")}) {
        ::setenv("NOTIFY_SOCKET", bad.c_str(), 1);
        const auto told = notify_manager("READY=1");
        ASSERT_FALSE(told.has_value()) << bad;
        EXPECT_NE(told.error().text.find(bad.substr(0, 20)), std::string::npos);
    }
    ::unsetenv("NOTIFY_SOCKET");
}

TEST(Notify, WritesANewlineToTheReadyDescriptorAndClosesIt) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ASSERT_TRUE(notify_ready_fd(ends[1]).has_value());
    char text[8];
    EXPECT_EQ(::read(ends[0], text, sizeof text), 1);
    EXPECT_EQ(text[0], '\n');
    EXPECT_EQ(::read(ends[0], text, sizeof text), 0) << "closed";
    ::close(ends[0]);
    EXPECT_FALSE(notify_ready_fd(1'000'000).has_value());
}

}  // namespace
}  // namespace causeway::adapter
