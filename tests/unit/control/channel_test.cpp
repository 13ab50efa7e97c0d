// The channel and the server helpers against each other, and each against a peer that misbehaves.
#include "control/channel.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/names.hpp"
#include "control/server.hpp"
#include "platform/limits.hpp"
#include "platform/memfd.hpp"
#include "platform/socket.hpp"
#include "support/temp_directory.hpp"

namespace causeway::control {
namespace {

using platform::UniqueFd;

// The adapter's end in a thread: waits for one message after another and lets `answer` reply.
class FakeAdapter {
public:
    using Answer = std::function<void(int fd, const IncomingRequest& request)>;

    FakeAdapter(UniqueFd end, Answer answer)
        : thread_([end = std::move(end), answer = std::move(answer)] {
              std::byte buffer[abi::kMaxMessage];
              for (;;) {
                  std::byte peek;
                  if (::recv(end.get(), &peek, 1, MSG_PEEK) <= 0)
                      return;
                  auto request = receive_request(end.get(), buffer);
                  if (!request.has_value())
                      return;
                  answer(end.get(), *request);
              }
          }) {}
    FakeAdapter(const FakeAdapter&) = delete;
    FakeAdapter& operator=(const FakeAdapter&) = delete;
    ~FakeAdapter() { thread_.join(); }

private:
    std::thread thread_;
};

class ChannelTest : public testing::Test {
protected:
    void serve(FakeAdapter::Answer answer) {
        auto ends = platform::make_socket_pair().value();
        ASSERT_TRUE(platform::set_blocking(ends.second.get(), platform::Blocking::yes));
        channel_ = Channel(std::move(ends.first));
        adapter_ = std::make_unique<FakeAdapter>(std::move(ends.second), std::move(answer));
    }
    void TearDown() override {
        channel_.close();
        adapter_.reset();
    }
    Result<abi::RegisterReply> register_region(int fd = -1, UniqueFd* received = nullptr) {
        return channel_.call<abi::RegisterReply>(
            make<abi::RegisterRequest>(abi::Request::register_region), fd, received);
    }

    std::unique_ptr<FakeAdapter> adapter_;
    Channel channel_;
};

TEST_F(ChannelTest, CallsAndGetsItsReplies) {
    serve([](int fd, const IncomingRequest& request) {
        ASSERT_FALSE(request.fault.has_value());
        const auto parsed = parse<abi::AttachRequest>(request.bytes);
        ASSERT_TRUE(parsed.has_value());
        auto reply = make_reply<abi::AttachReply>(request.header);
        std::memcpy(reply.name, parsed->name, sizeof reply.name);
        reply.session = request.header.sequence;
        ASSERT_TRUE(control::reply(fd, reply).has_value());
    });
    for (std::uint32_t i = 1; i <= 3; ++i) {
        auto request = make<abi::AttachRequest>(abi::Request::attach);
        ASSERT_TRUE(store_text(request.name, "orders").has_value());
        const auto reply = channel_.call<abi::AttachReply>(request);
        ASSERT_TRUE(reply.has_value()) << reply.error().text;
        EXPECT_EQ(load_text(reply->name).value(), "orders");
        EXPECT_EQ(reply->session, i) << "sequences count up";
    }
}

TEST_F(ChannelTest, PassesDescriptorsBothWays) {
    serve([](int fd, const IncomingRequest& request) {
        ASSERT_TRUE(request.descriptor.valid());
        const auto facts = platform::file_facts(request.descriptor.get());
        auto reply = make_reply<abi::RegisterReply>(request.header);
        reply.handle = static_cast<std::uint32_t>(facts->size);
        ASSERT_TRUE(control::reply(fd, reply, request.descriptor.get()).has_value());
    });
    const UniqueFd memory = platform::create_memfd("m", 8192, platform::kSizeSeals).value();
    UniqueFd back;
    const auto reply = register_region(memory.get(), &back);
    ASSERT_TRUE(reply.has_value()) << reply.error().text;
    EXPECT_EQ(reply->handle, 8192u);
    EXPECT_EQ(platform::file_facts(back.get())->inode, platform::file_facts(memory.get())->inode);
}

TEST_F(ChannelTest, AnErrorOfTheAdapterLeavesTheChannelOpen) {
    serve([](int fd, const IncomingRequest& request) {
        ASSERT_TRUE(
            reply_error(fd, request.header, Error{ErrorCode::limit_reached, "too many regions"}));
    });
    UniqueFd back;
    for (int i = 0; i < 2; ++i) {
        const auto reply = register_region(-1, &back);
        ASSERT_FALSE(reply.has_value());
        EXPECT_EQ(reply.error().code, ErrorCode::limit_reached);
        EXPECT_EQ(reply.error().text, "too many regions");
        EXPECT_TRUE(channel_.open());
    }
}

TEST_F(ChannelTest, AnErrorWithANumberFromTheFutureLeavesItOpenToo) {
    serve([](int fd, const IncomingRequest& request) {
        auto reply = make_error_reply(request.header, Error{ErrorCode::denied, "new reason"});
        reply.header.error = 77;
        ASSERT_TRUE(control::reply(fd, reply).has_value());
    });
    EXPECT_EQ(register_region().error().code, ErrorCode::system);
    EXPECT_TRUE(channel_.open());
}

TEST_F(ChannelTest, EmptyRepliesNeedNoStructure) {
    serve([](int fd, const IncomingRequest& request) {
        ASSERT_TRUE(reply_empty(fd, request.header).has_value());
    });
    const auto request = make<abi::RegionRequest>(abi::Request::deregister_region);
    EXPECT_TRUE(channel_.call_empty(request).has_value());
}

// Everything that breaks the protocol closes the channel; afterwards it says so at once.
TEST_F(ChannelTest, ABreachClosesTheChannel) {
    const UniqueFd null(::open("/dev/null", O_RDONLY));
    const int spare = null.get();
    const std::vector<std::pair<const char*, FakeAdapter::Answer>> breaches = {
        {"another sequence",
         [](int fd, const IncomingRequest& request) {
             auto reply = make_reply<abi::RegisterReply>(request.header);
             reply.header.sequence ^= 1;
             static_cast<void>(control::reply(fd, reply));
         }},
        {"an error for another sequence",
         [](int fd, const IncomingRequest& request) {
             abi::Header other = request.header;
             other.sequence += 1;
             static_cast<void>(reply_error(fd, other, Error{ErrorCode::denied, "stale"}));
         }},
        {"another type",
         [](int fd, const IncomingRequest& request) {
             abi::Header other = request.header;
             other.type = 1;
             static_cast<void>(control::reply(fd, make_reply<abi::RegisterReply>(other)));
         }},
        {"a size that is not its own",
         [](int fd, const IncomingRequest& request) {
             auto reply = make_reply<abi::RegisterReply>(request.header);
             reply.header.size = 4000;
             static_cast<void>(control::reply(fd, reply));
         }},
        {"a tail unknown here",
         [](int fd, const IncomingRequest& request) {
             std::vector<std::byte> bytes(100, std::byte{1});
             const abi::Header header = reply_header(request.header, bytes.size());
             std::memcpy(bytes.data(), &header, sizeof header);
             static_cast<void>(send_reply(fd, bytes));
         }},
        {"three bytes",
         [](int fd, const IncomingRequest&) {
             static_cast<void>(send_reply(fd, std::vector<std::byte>(3)));
         }},
        {"more than a message may have",
         [](int fd, const IncomingRequest& request) {
             std::vector<std::byte> bytes(abi::kMaxMessage + 16);
             const abi::Header header = reply_header(request.header, bytes.size());
             std::memcpy(bytes.data(), &header, sizeof header);
             static_cast<void>(send_reply(fd, bytes));
         }},
        {"a descriptor that nobody asked for",
         [spare](int fd, const IncomingRequest& request) {
             const auto reply = make_reply<abi::RegisterReply>(request.header);
             static_cast<void>(control::reply(fd, reply, spare));
         }},
    };
    const auto files = platform::open_file_count();
    for (const auto& [name, answer] : breaches) {
        SCOPED_TRACE(name);
        serve(answer);
        const auto reply = register_region();
        ASSERT_FALSE(reply.has_value());
        EXPECT_EQ(reply.error().code, ErrorCode::protocol) << reply.error().text;
        EXPECT_FALSE(channel_.open());
        EXPECT_EQ(register_region().error().code, ErrorCode::adapter_gone);
        TearDown();
    }
    EXPECT_EQ(platform::open_file_count(), files) << "no descriptor is left behind";
}

TEST_F(ChannelTest, AMissingDescriptorIsABreach) {
    serve([](int fd, const IncomingRequest& request) {
        static_cast<void>(control::reply(fd, make_reply<abi::RegisterReply>(request.header)));
    });
    UniqueFd back;
    EXPECT_EQ(register_region(-1, &back).error().code, ErrorCode::protocol);
    EXPECT_FALSE(channel_.open());
}

TEST_F(ChannelTest, TheAdaptersEndIsAdapterGone) {
    auto ends = platform::make_socket_pair().value();
    channel_ = Channel(std::move(ends.first));
    std::thread dying([end = std::move(ends.second)]() mutable {
        std::byte buffer[abi::kMaxMessage];
        ASSERT_TRUE(platform::receive_message(end.get(), buffer, platform::Blocking::yes));
        end.reset();
    });
    const auto reply = register_region();
    dying.join();
    EXPECT_EQ(reply.error().code, ErrorCode::adapter_gone);
    EXPECT_EQ(register_region().error().code, ErrorCode::adapter_gone);

    auto others = platform::make_socket_pair().value();
    channel_ = Channel(std::move(others.first));
    others.second.reset();
    EXPECT_EQ(register_region().error().code, ErrorCode::adapter_gone) << "gone before the call";
    EXPECT_EQ(
        Channel().call_empty(make<abi::RegionRequest>(abi::Request::region_status)).error().code,
        ErrorCode::adapter_gone)
        << "never connected";
}

TEST_F(ChannelTest, ASilentAdapterIsGivenUp) {
    serve([](int, const IncomingRequest&) {});
    channel_.set_patience(20'000'000);
    const auto reply = register_region();
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, ErrorCode::adapter_gone);
    EXPECT_NE(reply.error().text.find("within 20 ms"), std::string::npos) << reply.error().text;
    EXPECT_FALSE(channel_.open()) << "a late reply must not be taken for the next one";
}

TEST_F(ChannelTest, ABadDescriptorOfTheCallerHurtsOnlyThatCall) {
    serve([](int fd, const IncomingRequest& request) {
        static_cast<void>(control::reply(fd, make_reply<abi::RegisterReply>(request.header)));
    });
    const auto reply = register_region(1'000'000);
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, ErrorCode::system);
    EXPECT_TRUE(register_region().has_value());
}

TEST_F(ChannelTest, CollectsStatsPageByPage) {
    serve([](int fd, const IncomingRequest& request) {
        const auto parsed = parse<abi::StatsRequest>(request.bytes);
        ASSERT_TRUE(parsed.has_value());
        std::vector<std::byte> bytes(sizeof(abi::StatsReply) + sizeof(abi::RegionRow));
        auto reply = make_reply<abi::StatsReply>(request.header);
        reply.header.size = static_cast<std::uint32_t>(bytes.size());
        reply.rows = 1;
        reply.row_size = sizeof(abi::RegionRow);
        reply.next = parsed->cursor < 2 ? parsed->cursor + 1 : 0;
        abi::RegionRow row{};
        row.handle = parsed->cursor + 100;
        std::memcpy(bytes.data(), &reply, sizeof reply);
        std::memcpy(bytes.data() + sizeof reply, &row, sizeof row);
        ASSERT_TRUE(send_reply(fd, bytes).has_value());
    });
    const auto rows = channel_.all_stats<abi::RegionRow>(abi::StatsKind::regions);
    ASSERT_TRUE(rows.has_value()) << rows.error().text;
    ASSERT_EQ(rows->size(), 3u);
    EXPECT_EQ((*rows)[2].handle, 102u);
}

TEST_F(ChannelTest, StatsThatGoInCirclesEnd) {
    serve([](int fd, const IncomingRequest& request) {
        auto reply = make_reply<abi::StatsReply>(request.header);
        reply.next = 1;
        static_cast<void>(control::reply(fd, reply));
    });
    const auto rows = channel_.all_stats<abi::RegionRow>(abi::StatsKind::regions);
    ASSERT_FALSE(rows.has_value());
    EXPECT_EQ(rows.error().code, ErrorCode::protocol);
}

// --- finding and connecting

class Environment {
public:
    Environment(const char* name, const char* value) : name_(name) {
        const char* const old = std::getenv(name);
        had_ = old != nullptr;
        if (had_)
            old_ = old;
        if (value != nullptr) {
            ::setenv(name, value, 1);
        } else {
            ::unsetenv(name);
        }
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() { had_ ? ::setenv(name_, old_.c_str(), 1) : ::unsetenv(name_); }

private:
    const char* name_;
    bool had_;
    std::string old_;
};

TEST(FabricSocketPath, LooksInOrder) {
    const test::TempDirectory runtime;
    const Environment no_choice("CAUSEWAY_SOCKET", nullptr);
    const Environment xdg("XDG_RUNTIME_DIR", runtime.path().c_str());
    if (::access("/run/causeway/fabric.sock", F_OK) == 0)
        GTEST_SKIP() << "an adapter runs here";
    const std::string own = runtime / "causeway/fabric.sock";

    const auto none = fabric_socket_path("");
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().code, ErrorCode::no_adapter);
    for (const std::string& place :
         {std::string("CAUSEWAY_SOCKET"), own, std::string("/run/causeway/fabric.sock"),
          std::string("causewayd --runtime-dir")}) {
        EXPECT_NE(none.error().text.find(place), std::string::npos) << none.error().text;
    }

    std::filesystem::create_directory(runtime / "causeway");
    const auto listener = platform::listen_at(own, 0600);
    ASSERT_TRUE(listener.has_value());
    EXPECT_EQ(fabric_socket_path("").value(), own);

    const Environment choice("CAUSEWAY_SOCKET", "/chosen");
    EXPECT_EQ(fabric_socket_path("").value(), "/chosen") << "taken even if it does not exist";
    EXPECT_EQ(fabric_socket_path("/explicit").value(), "/explicit");
}

TEST(FabricSocketPath, WithoutARuntimeDirectoryTheTextSaysSo) {
    const Environment no_choice("CAUSEWAY_SOCKET", "");
    const Environment xdg("XDG_RUNTIME_DIR", nullptr);
    if (::access("/run/causeway/fabric.sock", F_OK) == 0)
        GTEST_SKIP() << "an adapter runs here";
    EXPECT_NE(fabric_socket_path("").error().text.find("$XDG_RUNTIME_DIR is not set"),
              std::string::npos);
}

TEST(ChannelConnect, SaysWhatToDoWhenNobodyListens) {
    const test::TempDirectory directory;
    const std::string path = directory / "fabric.sock";
    for (int i = 0; i < 2; ++i) {
        const auto channel = Channel::connect(path);
        ASSERT_FALSE(channel.has_value());
        EXPECT_EQ(channel.error().code, ErrorCode::no_adapter);
        const std::string& text = channel.error().text;
        EXPECT_NE(text.find("no adapter listens at " + path), std::string::npos) << text;
        EXPECT_NE(text.find("start causewayd --runtime-dir"), std::string::npos) << text;
        // The second time round: a socket whose listener has gone.
        platform::listen_at(path, 0600).value().reset();
    }
    const auto listener = platform::listen_at(path, 0600).value();
    EXPECT_TRUE(Channel::connect(path).has_value());
}

// --- the server's side

class Server : public testing::Test {
protected:
    std::pair<UniqueFd, UniqueFd> ends_ = platform::make_socket_pair().value();
    int client_ = ends_.first.get();
    int server_ = ends_.second.get();
    std::byte buffer_[abi::kMaxMessage];

    void send(std::span<const std::byte> bytes, int fd = -1) {
        ASSERT_TRUE(platform::send_message(client_, bytes, fd).has_value());
    }
};

TEST_F(Server, NeverWaits) {
    EXPECT_EQ(receive_request(server_, buffer_).error().code, ErrorCode::again);
    abi::Header header{};
    Result<void> result;
    while ((result = reply_error(server_, header, Error{ErrorCode::denied, "no"})).has_value()) {}
    EXPECT_EQ(result.error().code, ErrorCode::again) << "a client that never reads";
    ends_.first.reset();
    EXPECT_EQ(receive_request(server_, buffer_).error().code, ErrorCode::peer_gone);
}

TEST_F(Server, WhatIsWrongWithAMessageCanBeAnswered) {
    const auto fault = [&](std::span<const std::byte> bytes) {
        send(bytes);
        const auto request = receive_request(server_, buffer_);
        EXPECT_TRUE(request.has_value());
        return request->fault.value_or(Error{ErrorCode::none, "accepted"}).code;
    };
    auto good = make<abi::StatsRequest>(abi::Request::stats, 3);
    EXPECT_EQ(fault(bytes_of(good)), ErrorCode::none);
    EXPECT_EQ(fault(std::vector<std::byte>(1)), ErrorCode::protocol);
    EXPECT_EQ(fault(std::vector<std::byte>(abi::kMaxMessage + 1)), ErrorCode::protocol);
    auto bad = good;
    bad.header.type |= abi::kReplyBit;
    EXPECT_EQ(fault(bytes_of(bad)), ErrorCode::protocol);
    bad = good;
    bad.header.error = 3;
    EXPECT_EQ(fault(bytes_of(bad)), ErrorCode::protocol);
    bad = good;
    bad.header.flags = 1;
    EXPECT_EQ(fault(bytes_of(bad)), ErrorCode::protocol);

    // The reply to a faulty message still finds its request.
    send(bytes_of(bad));
    const auto request = receive_request(server_, buffer_).value();
    ASSERT_TRUE(request.fault.has_value());
    ASSERT_TRUE(reply_error(server_, request.header, *request.fault).has_value());
    std::byte reply[abi::kMaxMessage];
    const auto received = platform::receive_message(client_, reply).value();
    EXPECT_EQ(check_reply(good.header, std::span(reply).first(received.size)).error().code,
              ErrorCode::protocol);
}

TEST_F(Server, DescriptorsOfAFaultyMessageAreClosed) {
    const UniqueFd null(::open("/dev/null", O_RDONLY));
    const auto files = platform::open_file_count();
    auto bad = make<abi::StatsRequest>(abi::Request::stats);
    bad.header.size = 1;
    for (int i = 0; i < 10; ++i) {
        send(bytes_of(bad), null.get());
        const auto request = receive_request(server_, buffer_).value();
        EXPECT_TRUE(request.fault.has_value());
        EXPECT_TRUE(request.descriptor.valid()) << "closing it may hang: that is the caller's";
    }
    EXPECT_EQ(platform::open_file_count(), files);
}

}  // namespace
}  // namespace causeway::control
