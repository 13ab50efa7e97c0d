// Attaching to a live adapter: names, versions, observers, what happens to names of the dead.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/version.hpp"
#include "support/in_process_adapter.hpp"
#include "support/raw_client.hpp"

namespace causeway::adapter {
namespace {

using test::attach_request;
using test::InProcessAdapter;
using test::RawClient;
using test::RawReply;
using test::RawSession;

TEST(Attach, TellsQuotasAndVersions) {
    const InProcessAdapter adapter;
    const RawSession session(adapter.socket(), "orders");
    EXPECT_EQ(session.attached.major, abi::kMajor);
    EXPECT_EQ(session.attached.movers, 1u);
    EXPECT_NE(session.attached.session, 0u);
    EXPECT_EQ(session.attached.max_bytes, std::uint64_t{1} << 30);
    EXPECT_STREQ(session.attached.name, "orders");
    EXPECT_STREQ(session.attached.adapter_version, kVersion);
}

TEST(Attach, NamedEntranceGivesItsName) {
    const InProcessAdapter adapter;
    const RawSession by_default(adapter.socket("a"), "");
    EXPECT_STREQ(by_default.attached.name, "a");
    const RawSession by_name(adapter.socket("b"), "b");
    EXPECT_STREQ(by_name.attached.name, "b");
}

ErrorCode attach_error(const std::string& socket, const abi::AttachRequest& request) {
    RawClient client(socket);
    const auto reply = client.call(request);
    if (!reply)
        return ErrorCode::adapter_gone;
    EXPECT_TRUE(reply->ok() || !reply->text().empty());
    return reply->code();
}

TEST(Attach, RefusesNamesThatAreNotTheCallers) {
    const InProcessAdapter adapter;
    EXPECT_EQ(attach_error(adapter.socket("a"), attach_request("b")), ErrorCode::denied);
    EXPECT_EQ(attach_error(adapter.socket(), attach_request("a")), ErrorCode::denied);
    auto bad = attach_request("x");
    bad.name[0] = '/';
    EXPECT_EQ(attach_error(adapter.socket(), bad), ErrorCode::invalid_argument);
    std::memset(bad.name, 'x', sizeof bad.name);  // no NUL
    EXPECT_NE(attach_error(adapter.socket(), bad), ErrorCode::none);
}

TEST(Attach, NegotiatesTheVersion) {
    const InProcessAdapter adapter;
    auto request = attach_request("x");
    request.major_least = 0;
    request.major_most = 9;
    EXPECT_EQ(attach_error(adapter.socket(), request), ErrorCode::none);
    request.major_least = abi::kMajor + 1;
    EXPECT_EQ(attach_error(adapter.socket(), request), ErrorCode::version);
    request.major_least = 0;
    request.major_most = 0;
    EXPECT_EQ(attach_error(adapter.socket(), request), ErrorCode::version);
    request.major_least = 2;
    EXPECT_EQ(attach_error(adapter.socket(), request), ErrorCode::invalid_argument);
}

TEST(Attach, ANameHasOneHolderAndIsFreeAfterIt) {
    const InProcessAdapter adapter;
    {
        RawSession first(adapter.socket(), "orders");
        EXPECT_EQ(attach_error(adapter.socket(), attach_request("orders")), ErrorCode::name_in_use);
        first.create_queue_pair(first.open_completions());
    }
    // Without a pause in between: the adapter may not even have noticed that the first has gone.
    for (int i = 0; i < 50; ++i) {
        RawSession next(adapter.socket(), "orders");
        next.create_queue_pair(next.open_completions());
    }
}

TEST(Attach, ComesBeforeEverythingElseAndOnce) {
    const InProcessAdapter adapter;
    RawClient client(adapter.socket());
    EXPECT_EQ(client.call(test::stats_request(abi::StatsKind::adapter))->code(),
              ErrorCode::wrong_state);
    EXPECT_TRUE(client.call(attach_request("orders"))->ok());
    EXPECT_EQ(client.call(attach_request("orders"))->code(), ErrorCode::wrong_state);
}

TEST(Attach, ObserversHaveNoNameAndTakeNone) {
    const InProcessAdapter adapter;
    for (const std::string entrance : {"", "a"}) {
        const auto before = RawSession::observer(adapter.socket(entrance));
        EXPECT_STREQ(before.attached.name, "");
        const RawSession partition(adapter.socket(entrance), entrance.empty() ? "x" : entrance);
        EXPECT_NO_THROW((void)RawSession::observer(adapter.socket(entrance))) << "while it lives";
        auto named = test::observer_request();
        store_text(named.name, partition.attached.name).value();
        EXPECT_EQ(attach_error(adapter.socket(entrance), named), ErrorCode::invalid_argument);
    }
    EXPECT_EQ(attach_error(adapter.socket(), attach_request("")), ErrorCode::invalid_argument)
        << "no name and no observer";
}

TEST(Attach, RefusesUnknownFlags) {
    const InProcessAdapter adapter;
    auto request = attach_request("x");
    for (const std::uint32_t flags : {0x4u, 0x5u, 0x80000000u}) {
        request.flags = flags;
        EXPECT_EQ(attach_error(adapter.socket(), request), ErrorCode::unsupported) << flags;
    }
    request.flags = 0;
    request.session = 1;
    EXPECT_EQ(attach_error(adapter.socket(), request), ErrorCode::invalid_argument);
}

// Before flags were there, the message ended with the name.
TEST(Attach, ShorterMessageAttachesAPartition) {
    const InProcessAdapter adapter;
    auto request = attach_request("orders");
    request.header.size = offsetof(abi::AttachRequest, flags);
    RawClient client(adapter.socket());
    const auto reply = client.exchange(control::bytes_of(request).first(request.header.size));
    ASSERT_TRUE(reply && reply->ok());
    EXPECT_TRUE(client.call(test::listen_request("s"))->ok());
}

TEST(Attach, ObserversAreFewPerEntrance) {
    const InProcessAdapter adapter([](ServerOptions& options) { options.max_observers = 3; });
    std::vector<RawSession> few;
    for (int i = 0; i < 3; ++i)
        few.push_back(RawSession::observer(adapter.socket("a")));
    EXPECT_EQ(attach_error(adapter.socket("a"), test::observer_request()),
              ErrorCode::limit_reached);
    EXPECT_NO_THROW((void)RawSession::observer(adapter.socket("b"))) << "another entrance";
    EXPECT_NO_THROW(RawSession(adapter.socket("a"), "a")) << "a partition";
    // Without a pause in between, as often as one likes.
    for (int i = 0; i < 50; ++i) {
        few.pop_back();
        few.push_back(RawSession::observer(adapter.socket("a")));
    }
}

TEST(Attach, EndsWithItsProcessEvenIfAChildKeepsTheConnection) {
    const InProcessAdapter adapter;
    int alive[2];
    ASSERT_EQ(::pipe(alive), 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
        RawSession session(adapter.socket(), "orders");
        if (::fork() == 0) {  // inherits the connection and outlives its parent
            ::close(alive[1]);
            char byte = 0;
            (void)!::read(alive[0], &byte, 1);
            ::_exit(0);
        }
        ::kill(::getpid(), SIGKILL);
    }
    ::close(alive[0]);
    ::waitpid(parent, nullptr, 0);
    EXPECT_TRUE(test::eventually([&] {
        RawClient client(adapter.socket());
        const auto reply = client.call(attach_request("orders"));
        return reply && reply->ok();
    }));
    ::close(alive[1]);
}

TEST(ServerLife, StopsCleanlyAndRemovesItsSockets) {
    InProcessAdapter adapter;
    RawSession session(adapter.socket(), "orders");
    session.create_queue_pair(session.open_completions());
    const auto outcome = adapter.stop();
    EXPECT_TRUE(outcome.has_value());
    EXPECT_FALSE(std::filesystem::exists(adapter.socket()));
    EXPECT_FALSE(std::filesystem::exists(adapter.socket("a")));
    EXPECT_TRUE(std::filesystem::exists(adapter.directory() + "/a")) << "for the next daemon";
    EXPECT_TRUE(session.client.closed());
}

TEST(ServerLife, RefusesToStartWithBadEntrances) {
    const test::TempDirectory directory;
    for (const std::vector<std::string>& entrances :
         {std::vector<std::string>{"a", "a"}, {"a/b"}, {"open"}, {""}}) {
        ServerOptions options;
        options.runtime_directory = directory.path();
        options.entrances = entrances;
        const auto server = Server::start(std::move(options), make_silent_log());
        ASSERT_FALSE(server.has_value());
        EXPECT_EQ(server.error().code, ErrorCode::invalid_argument);
    }
    EXPECT_FALSE(std::filesystem::exists(directory / "fabric.sock"));
}

}  // namespace
}  // namespace causeway::adapter
