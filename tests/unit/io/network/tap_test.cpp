#include "io/network/tap.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "support/network_world.hpp"
#include "support/own_holdings.hpp"

namespace causeway::io::network {
namespace {

using test::in_network;
using test::ip;
using test::make_frame;
using test::Namespace;
using test::station;

bool shows(const std::string& interface, const std::string& part) {
    return ip({"-json", "addr", "show", "dev", interface}).find(part) != std::string::npos;
}

Error refusal(const TapOptions& options) {
    const auto tap = Tap::open(options);
    return tap.has_value() ? Error{} : tap.error();
}

bool says(const Error& error, const char* part) {
    const bool found = error.text.find(part) != std::string::npos;
    EXPECT_TRUE(found) << part << " in: " << error.text;
    return found;
}

TEST(Tap, IsTheInterfaceThatWasAskedFor) {
    in_network([](const Namespace&) {
        const Tap tap = Tap::open({.name = "cw0",
                                   .addresses = {InterfaceAddress::parse("10.1.0.2/24").value(),
                                                 InterfaceAddress::parse("fd00::2/64").value()},
                                   .mtu = 9000,
                                   .mac = station(0x42)})
                            .value();
        EXPECT_EQ(tap.interface(), "cw0");
        EXPECT_EQ(tap.mac(), station(0x42));
        EXPECT_EQ(tap.mtu(), 9000U);
        for (const char* part :
             {"\"UP\"", "\"mtu\":9000", "\"address\":\"02:00:00:00:00:42\"",
              "\"local\":\"10.1.0.2\",\"prefixlen\":24", "\"local\":\"fd00::2\",\"prefixlen\":64"})
            EXPECT_TRUE(shows("cw0", part)) << part;
        const Tap other = Tap::open({.name = "cw1"}).value();
        EXPECT_TRUE(other.mac().is_station());
        EXPECT_TRUE(shows("cw1", "\"address\":\"" + other.mac().to_string() + "\""));
    });
}

TEST(Tap, GoesWithItsOwner) {
    in_network([](const Namespace&) {
        const std::size_t files = test::open_files();
        {
            const Tap tap = Tap::open({.name = "cw0"}).value();
            EXPECT_NE(::if_nametoindex("cw0"), 0U);
        }
        EXPECT_EQ(::if_nametoindex("cw0"), 0U);
        EXPECT_EQ(test::open_files(), files);
    });
}

TEST(Tap, CarriesFramesBothWays) {
    in_network([](const Namespace&) {
        Tap tap = Tap::open({.name = "cw0"}).value();
        const test::RawSocket program("cw0");
        const test::Frame in = make_frame(tap.mac(), station(7), 300);
        const IoResult written = tap.write(in);
        EXPECT_EQ(written.status, IoStatus::done);
        EXPECT_EQ(written.bytes, in.size());
        EXPECT_EQ(program.next(), test::ethernet_of(in));

        const test::Frame out = make_frame(station(7), tap.mac(), 1514);
        program.send(test::ethernet_of(out));
        EXPECT_EQ(test::next_frame(tap), out);  // with a header of zeros
    });
}

TEST(Tap, WritesTheHeadThatWasJudged) {
    in_network([](const Namespace&) {
        Tap tap = Tap::open({.name = "cw0"}).value();
        const test::RawSocket program("cw0");
        test::Frame frame = make_frame(tap.mac(), station(7), 100);
        const test::Frame judged = test::ethernet_of(frame);
        const CheckedFrame checked = check_frame(frame, 1500);
        std::fill_n(frame.begin(), kHeadSize, std::byte{0xff});  // the peer writes once more
        EXPECT_EQ(tap.write(checked.facts.head(), std::span(frame).subspan(kHeadSize)).status,
                  IoStatus::done);
        EXPECT_EQ(program.next(), judged);
    });
}

TEST(Tap, NothingThereIsNoError) {
    in_network([](const Namespace&) {
        std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << 1;
        Tap tap = Tap::open({.name = "cw0"}).value();
        test::Frame frame(kMaxFrame);
        EXPECT_EQ(tap.read(frame).status, IoStatus::again);
        EXPECT_EQ(tap.read(std::span(frame).first(kMinFrame - 1)).status, IoStatus::refused);
    });
}

TEST(Tap, AFrameThatDoesNotFitIsLostAndSaid) {
    in_network([](const Namespace&) {
        std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << 1;
        Tap tap = Tap::open({.name = "cw0"}).value();
        const test::RawSocket program("cw0");
        const test::Frame large = make_frame(station(7), tap.mac(), 1000);
        const test::Frame small = make_frame(station(7), tap.mac(), 100);
        for (int i = 0; i < 2; ++i)
            program.send(test::ethernet_of(large));
        program.send(test::ethernet_of(small));
        ASSERT_TRUE(test::readable(tap.fd()));
        test::Frame buffer(large.size());
        EXPECT_EQ(tap.read(buffer).status, IoStatus::done);  // it fits to the byte
        EXPECT_EQ(buffer, large);
        buffer.pop_back();
        const IoResult result = tap.read(buffer);
        EXPECT_EQ(name(result.status), std::string("refused"));
        EXPECT_EQ(result.error, EMSGSIZE);
        EXPECT_EQ(test::next_frame(tap), small);
    });
}

TEST(Tap, CarrierIsSeen) {
    in_network([](const Namespace&) {
        Tap tap = Tap::open({.name = "cw0", .carrier = Carrier::off}).value();
        EXPECT_TRUE(test::eventually([] { return shows("cw0", "\"NO-CARRIER\""); }));
        tap.set_carrier(Carrier::on).value();
        EXPECT_TRUE(test::eventually([] { return shows("cw0", "\"LOWER_UP\""); }));
        EXPECT_FALSE(shows("cw0", "\"NO-CARRIER\""));
        tap.set_carrier(Carrier::off).value();
        EXPECT_TRUE(test::eventually([] { return shows("cw0", "\"NO-CARRIER\""); }));
    });
}

TEST(Tap, AnInterfaceThatIsDownRefusesAndOneThatIsGoneSaysSo) {
    in_network([](const Namespace&) {
        Tap tap = Tap::open({.name = "cw0"}).value();
        const test::Frame frame = make_frame(tap.mac(), station(7));
        (void)ip({"link", "set", "cw0", "down"});
        IoResult result = tap.write(frame);
        EXPECT_EQ(result.status, IoStatus::refused);
        EXPECT_EQ(result.error, EIO);
        (void)ip({"link", "set", "cw0", "up"});
        EXPECT_EQ(tap.write(frame).status, IoStatus::done);
        (void)ip({"link", "delete", "cw0"});
        EXPECT_EQ(tap.write(frame).status, IoStatus::gone);
        test::Frame buffer(kMaxFrame);
        EXPECT_EQ(tap.read(buffer).status, IoStatus::gone);
    });
}

TEST(Tap, LivesInAnotherNamespace) {
    in_network([](const Namespace& here) {
        const Namespace there;
        here.enter();
        Tap tap = Tap::open({.name = "cw0",
                             .addresses = {InterfaceAddress::parse("10.1.0.2/24").value()},
                             .mac = station(5),
                             .netns = there.path()})
                      .value();
        EXPECT_EQ(tap.mac(), station(5));
        EXPECT_NE(tap.offload(), Offload::none);
        EXPECT_EQ(::if_nametoindex("cw0"), 0U);  // this process has not moved
        there.enter();
        EXPECT_TRUE(shows("cw0", "\"local\":\"10.1.0.2\""));
        const test::RawSocket program("cw0");
        here.enter();
        const test::Frame in = make_frame(tap.mac(), station(7));
        EXPECT_EQ(tap.write(in).status, IoStatus::done);
        EXPECT_EQ(program.next(), test::ethernet_of(in));
        tap.set_carrier(Carrier::off).value();
    });
}

// A process in a network namespace of its own, until it is killed. -1: it cannot be had.
template<typename Begin>
pid_t holder(Begin begin) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        // After `begin`: a process that changes what it may forgets this.
        if (begin() != 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
            ::write(ready[1], "x", 1) != 1)
            ::_exit(1);
        while (true)
            ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    const bool good = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    if (good)
        return child;
    ::waitpid(child, nullptr, 0);
    return -1;
}

void end(pid_t child) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

std::string devices_of(pid_t process) {
    std::ostringstream text;
    text << std::ifstream("/proc/" + std::to_string(process) + "/net/dev").rdbuf();
    return text.str();
}

TEST(Tap, LivesWhereAProcessDoes) {
    in_network([](const Namespace&) {
        const pid_t sandbox = holder([] { return ::unshare(CLONE_NEWNET); });
        ASSERT_GT(sandbox, 0);
        const Tap tap = Tap::open({.name = "cw0", .netns = std::to_string(sandbox)}).value();
        EXPECT_EQ(::if_nametoindex("cw0"), 0U);
        EXPECT_NE(devices_of(sandbox).find("cw0:"), std::string::npos) << devices_of(sandbox);
        end(sandbox);
        const Error gone = refusal({.name = "cw1", .netns = std::to_string(sandbox)});
        EXPECT_EQ(gone.code, ErrorCode::not_found);
        says(gone, std::to_string(sandbox).c_str());
    });
}

// As an ordinary user with a sandbox of its own: whoever made a user namespace may do everything
// in it. This user owns /dev/net/tun by chance, which elsewhere everybody may open.
TEST(Tap, NeedsNoCapabilityInOnesOwnSandbox) {
    in_network([](const Namespace&) {
        test::drop_capabilities();
        const pid_t sandbox = holder([] { return ::unshare(CLONE_NEWUSER | CLONE_NEWNET); });
        if (sandbox < 0 || ::access("/dev/net/tun", R_OK | W_OK) != 0)
            ::_exit(test::kSkipped);
        const Tap tap = Tap::open({.name = "cw0", .netns = std::to_string(sandbox)}).value();
        EXPECT_NE(devices_of(sandbox).find("cw0:"), std::string::npos);
        end(sandbox);
    });
}

TEST(Tap, SaysWhatNamespaceCannotBe) {
    in_network([](const Namespace& here) {
        Error error = refusal({.name = "cw0", .netns = "/proc/self/status"});
        EXPECT_EQ(error.code, ErrorCode::invalid_argument);
        says(error, "/proc/self/status is not a network namespace");
        error = refusal({.name = "cw0", .netns = "/proc/self/ns/mnt"});
        EXPECT_EQ(error.code, ErrorCode::invalid_argument);
        error = refusal({.name = "cw0", .netns = "no-such-name"});
        EXPECT_EQ(error.code, ErrorCode::not_found);
        says(error, "/run/netns/no-such-name");
        error = refusal({.name = "cw0", .netns = "/no/such/path"});
        EXPECT_EQ(error.code, ErrorCode::not_found);
        // An error from in there comes out whole.
        const Namespace there;
        const Tap taken = Tap::open({.name = "cw0"}).value();
        here.enter();
        error = refusal({.name = "cw0", .netns = there.path()});
        EXPECT_EQ(error.code, ErrorCode::name_in_use);
        says(error, "there is an interface cw0 already");
        test::drop_capabilities();
        error = refusal({.name = "cw1", .netns = there.path()});
        EXPECT_EQ(error.code, ErrorCode::denied);
        says(error, "CAP_SYS_ADMIN");
    });
}

TEST(Tap, SaysWhatCannotBe) {
    in_network([](const Namespace&) {
        const Tap taken = Tap::open({.name = "cw0"}).value();
        test::make_veth("v0", "v1");
        for (const char* name : {"cw0", "v0", "lo"}) {
            const Error error = refusal({.name = name});
            EXPECT_EQ(error.code, ErrorCode::name_in_use) << error.text;
            says(error, name);
        }
        EXPECT_EQ(refusal({.name = "sixteen-bytes-xx"}).code, ErrorCode::invalid_argument);
        EXPECT_EQ(refusal({.name = "cw1", .mtu = 67}).code, ErrorCode::invalid_argument);
        EXPECT_EQ(refusal({.name = "cw1", .mtu = kMaxMtu + 1}).code, ErrorCode::invalid_argument);
        EXPECT_EQ(refusal({.name = "cw1", .mac = MacAddress::broadcast()}).code,
                  ErrorCode::invalid_argument);
        // Of one that fails half-way nothing stays.
        const InterfaceAddress address = InterfaceAddress::parse("10.1.0.2/24").value();
        EXPECT_NE(refusal({.name = "cw1", .addresses = {address, address}}).code, ErrorCode::none);
        EXPECT_EQ(::if_nametoindex("cw1"), 0U);
        EXPECT_TRUE(Tap::open({.name = "cw1", .mtu = kMaxMtu}).has_value());
    });
}

TEST(Tap, SaysWhatTheSystemLacks) {
    in_network([](const Namespace&) {
        Error error = refusal({.name = "cw0", .device = "/dev/net/no-such-device"});
        EXPECT_EQ(error.code, ErrorCode::unsupported);
        says(error, "modprobe tun");
        says(error, "--device /dev/net/tun");
        test::drop_capabilities();
        error = refusal({.name = "cw0"});
        EXPECT_EQ(error.code, ErrorCode::denied);
        says(error, "CAP_NET_ADMIN");
    });
}

TEST(Tap, OpensOnlyWhatTheUserMay) {
    in_network([](const Namespace&) {
        char path[] = "/tmp/causeway-tun-XXXXXX";
        const platform::UniqueFd file(::mkstemp(path));
        ASSERT_EQ(::chmod(path, 0), 0);
        test::drop_capabilities();
        const Error error = refusal({.name = "cw0", .device = path});
        ::unlink(path);
        EXPECT_EQ(error.code, ErrorCode::denied);
        says(error, "let this user read and write it");
    });
}

}  // namespace
}  // namespace causeway::io::network
