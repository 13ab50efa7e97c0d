// The checks of `causeway doctor`, on hosts that are made up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>

#include "../apps/causeway/doctor/examine.hpp"
#include "../apps/causeway/doctor/report.hpp"
#include "platform/limits.hpp"
#include "support/temp_directory.hpp"

namespace causeway::doctor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DoctorTest : public ::testing::Test {
protected:
    DoctorTest() {
        host_.root = root_.path();
        host_.kernel = "6.12.3-amd64";
        host_.process = 4711;
        host_.parent = 4710;
        host_.free_huge_pages = 8;
        host_.processors.features.avx = true;
        host_.runtime = {.path = "/run/causeway",
                         .filesystem = "tmpfs",
                         .bytes = 1 << 24,
                         .free = 1 << 24,
                         .mode = 0700};
        host_.shared_memory = host_.runtime;
        write("/proc/self/status", "Name:\tcauseway\nSeccomp:\t0\nSeccomp_filters:\t0\n");
        write("/proc/self/cgroup", "0::/\n");
        write("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
              "always [within_size] advise never deny force");
    }

    void write(const std::string& path, const std::string& text) const {
        const std::filesystem::path file = root_.path() + path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text << '\n';
    }
    void filter_system_calls() const { write("/proc/self/status", "Seccomp:\t2\n"); }

    // The only check of that kind.
    Check one(const std::function<void(const Host&, Checks&)>& check) const {
        Checks checks;
        check(host_, checks);
        EXPECT_EQ(checks.size(), 1u);
        return checks.at(0);
    }
    Check named(const std::function<void(const Host&, Checks&)>& check,
                const std::string& id) const {
        Checks checks;
        check(host_, checks);
        for (const Check& each : checks) {
            if (each.id == id)
                return each;
        }
        ADD_FAILURE() << "no check " << id;
        return {};
    }

    test::TempDirectory root_;
    Host host_;
};

TEST_F(DoctorTest, UserNamespacesNameTheSwitchThatIsOff) {
    EXPECT_EQ(one(check_user_namespaces).status, Status::ok);
    host_.tries.user_namespace = EPERM;
    EXPECT_EQ(one(check_user_namespaces).status, Status::warning);

    write("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1");
    EXPECT_EQ(one(check_user_namespaces).mend,
              "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
    write("/proc/sys/user/max_user_namespaces", "0");
    EXPECT_EQ(one(check_user_namespaces).mend, "sysctl -w user.max_user_namespaces=15000");
    write("/proc/sys/kernel/unprivileged_userns_clone", "0");
    const Check check = one(check_user_namespaces);
    EXPECT_EQ(check.mend, "sysctl -w kernel.unprivileged_userns_clone=1");
    EXPECT_THAT(check.found, HasSubstr("kernel.unprivileged_userns_clone is 0"));
}

TEST_F(DoctorTest, UserNamespacesThatWorkNeedNoSwitch) {
    // What a switch says counts only where it is in the way.
    write("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1");
    EXPECT_EQ(one(check_user_namespaces).status, Status::ok);
}

TEST_F(DoctorTest, UserNamespacesTellTheReasonsApart) {
    host_.tries.user_namespace = ENOSPC;
    EXPECT_THAT(one(check_user_namespaces).mend, HasSubstr("max_user_namespaces"));
    host_.tries.user_namespace = EINVAL;
    EXPECT_THAT(one(check_user_namespaces).found, HasSubstr("CONFIG_USER_NS"));
    host_.tries.user_namespace = EPERM;
    filter_system_calls();
    EXPECT_THAT(one(check_user_namespaces).mend, HasSubstr("seccomp"));
}

TEST_F(DoctorTest, MemoryFilesThatAreRefusedFail) {
    EXPECT_EQ(one(check_memory_files).status, Status::ok);
    write("/proc/sys/vm/memfd_noexec", "2");
    EXPECT_THAT(one(check_memory_files).found, HasSubstr("vm.memfd_noexec is 2"));
    host_.tries.memory_file = "memfd_create: Permission denied";
    const Check check = one(check_memory_files);
    EXPECT_EQ(check.status, Status::fail);
    EXPECT_THAT(check.found, HasSubstr("Permission denied"));
    EXPECT_EQ(check.mend, "sysctl -w vm.memfd_noexec=1");
    write("/proc/sys/vm/memfd_noexec", "0");
    host_.limits.open_files = 16;
    host_.limits.open_files_now = 14;
    EXPECT_EQ(one(check_memory_files).mend, "prlimit --pid 4710 --nofile=65536:65536");
    host_.limits.open_files_most = 4096;  // as far as one may without privileges
    EXPECT_EQ(one(check_memory_files).mend, "prlimit --pid 4710 --nofile=4096:4096");
    host_.limits.open_files_most = 16;
    EXPECT_EQ(one(check_memory_files).mend, "prlimit --pid 4710 --nofile=65536:65536");
}

TEST_F(DoctorTest, IoUringTellsSwitchFilterAndAbsenceApart) {
    EXPECT_EQ(one(check_io_uring).status, Status::ok);
    write("/proc/sys/kernel/io_uring_disabled", "1");
    EXPECT_EQ(one(check_io_uring).status, Status::note);  // works for this user only
    host_.tries.io_uring = EPERM;
    write("/proc/sys/kernel/io_uring_disabled", "2");
    EXPECT_EQ(one(check_io_uring).mend, "sysctl -w kernel.io_uring_disabled=0");
    write("/proc/sys/kernel/io_uring_disabled", "0");
    filter_system_calls();
    EXPECT_THAT(one(check_io_uring).mend, HasSubstr("seccomp"));
    write("/proc/self/status", "Seccomp:\t0");
    host_.tries.io_uring = ENOSYS;
    EXPECT_THAT(one(check_io_uring).found, HasSubstr("has none"));
    // The fabric does without: this is never worse than a note.
    EXPECT_EQ(one(check_io_uring).status, Status::note);
}

TEST_F(DoctorTest, KernelsAreToldApartByTheirNumbers) {
    EXPECT_EQ(one(check_kernel).status, Status::ok);
    host_.kernel = "6.5.0";
    EXPECT_EQ(one(check_kernel).status, Status::ok);
    host_.kernel = "6.1.0-13-amd64";
    EXPECT_EQ(one(check_kernel).status, Status::note);
    host_.kernel = "5.10.0-1";
    EXPECT_EQ(one(check_kernel).status, Status::note);
    host_.kernel = "4.19.0";
    EXPECT_EQ(one(check_kernel).status, Status::warning);
    for (const char* strange : {"", "next", "6"}) {
        host_.kernel = strange;
        EXPECT_EQ(one(check_kernel).status, Status::note) << strange;
    }
}

TEST_F(DoctorTest, MembarrierIsMissedOnlyWhereItIsMissing) {
    EXPECT_EQ(one(check_membarrier).status, Status::ok);
    host_.tries.membarrier = false;
    EXPECT_EQ(one(check_membarrier).status, Status::warning);
    filter_system_calls();
    EXPECT_THAT(one(check_membarrier).mend, HasSubstr("seccomp"));
}

TEST_F(DoctorTest, HugePagesReadWhatStandsInBrackets) {
    const std::string path = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
    EXPECT_EQ(named(check_huge_pages, "transparent_huge_pages").status, Status::ok);
    write(path, "always within_size [advise] never deny force");
    const Check check = named(check_huge_pages, "transparent_huge_pages");
    EXPECT_EQ(check.status, Status::note);
    EXPECT_THAT(check.found, HasSubstr("advise"));
    EXPECT_THAT(check.mend, HasSubstr("echo within_size > " + path));
    for (const char* broken : {"]always[", "[", "", "never"}) {
        write(path, broken);
        EXPECT_EQ(named(check_huge_pages, "transparent_huge_pages").status, Status::note);
    }
    EXPECT_EQ(named(check_huge_pages, "huge_pages").status, Status::ok);
    host_.free_huge_pages = 0;
    EXPECT_EQ(named(check_huge_pages, "huge_pages").mend, "sysctl -w vm.nr_hugepages=256");
}

TEST_F(DoctorTest, TheTightestMemoryGroupCounts) {
    EXPECT_EQ(one(check_memory_groups).status, Status::ok);
    constexpr std::uint64_t kMiB = 1 << 20;
    host_.limits.memory = {
        {.version = 2, .directory = "/cg/a", .limit = 900 * kMiB, .headroom = 800 * kMiB}};
    EXPECT_EQ(one(check_memory_groups).status, Status::ok);
    host_.limits.memory.push_back(
        {.version = 1, .directory = "/cg1/b", .limit = 100 * kMiB, .headroom = 20 * kMiB});
    Check check = one(check_memory_groups);
    EXPECT_EQ(check.status, Status::warning);
    EXPECT_THAT(check.found, HasSubstr("v1, /cg1/b"));
    EXPECT_THAT(check.mend, HasSubstr("/cg1/b/memory.limit_in_bytes"));
    host_.limits.memory.push_back(
        {.version = 2, .directory = "/cg/c", .limit = 100 * kMiB, .headroom = 0});
    check = one(check_memory_groups);
    EXPECT_EQ(check.status, Status::fail);
    EXPECT_THAT(check.mend, HasSubstr("/cg/c/memory.max"));
}

TEST_F(DoctorTest, WithoutProcTheMemoryLimitIsNotKnown) {
    std::filesystem::remove_all(root_.path() + "/proc");
    EXPECT_EQ(one(check_memory_groups).status, Status::note);
    EXPECT_FALSE(host_.filtered());
}

TEST_F(DoctorTest, FewOpenFilesWarnAndFewerFail) {
    EXPECT_EQ(named(check_open_files, "open_files").status, Status::ok);
    EXPECT_EQ(named(check_open_files, "files_in_flight").status, Status::ok);
    host_.limits.open_files = 256;
    host_.limits.open_files_most = 1 << 20;
    EXPECT_EQ(named(check_open_files, "open_files").status, Status::warning);
    EXPECT_EQ(named(check_open_files, "files_in_flight").status, Status::warning);
    host_.limits.open_files = 16;
    const Check check = named(check_open_files, "open_files");
    EXPECT_EQ(check.status, Status::fail);
    EXPECT_EQ(check.mend, "prlimit --pid 4710 --nofile=65536:1048576");  // no hard limit is lowered
}

TEST_F(DoctorTest, MappingsAndLockedMemory) {
    EXPECT_EQ(one(check_mappings).status, Status::ok);
    host_.limits.mappings = 1000;
    EXPECT_EQ(one(check_mappings).mend, "sysctl -w vm.max_map_count=262144");
    EXPECT_THAT(one(check_locked_memory).found, HasSubstr("unlimited"));
    host_.limits.locked_bytes = 1 << 16;
    EXPECT_THAT(one(check_locked_memory).found, HasSubstr("64"));
    EXPECT_EQ(one(check_locked_memory).status, Status::ok);
}

TEST_F(DoctorTest, ASlowClockWarnsWhereABetterOneIsThere) {
    const std::string folder = "/sys/devices/system/clocksource/clocksource0/";
    EXPECT_EQ(one(check_clock).status, Status::note);  // /sys says nothing
    for (const char* good : {"tsc", "kvm-clock", "arch_sys_counter"}) {
        write(folder + "current_clocksource", good);
        EXPECT_EQ(one(check_clock).status, Status::ok) << good;
    }
    write("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu constant_tsc nonstop_tsc avx\n");
    EXPECT_THAT(one(check_clock).found, HasSubstr("steady"));
    write(folder + "current_clocksource", "hpet");
    EXPECT_EQ(one(check_clock).status, Status::note);
    write(folder + "available_clocksource", "tsc hpet acpi_pm ");
    EXPECT_EQ(one(check_clock).status, Status::warning);
    EXPECT_THAT(one(check_clock).mend, HasSubstr("echo tsc > " + folder));
}

TEST_F(DoctorTest, OneProcessorOfManyIsMendedByTaskset) {
    EXPECT_EQ(named(check_processors, "processors").status, Status::ok);
    host_.processors.online = 8;
    host_.processors.allowed = 1;
    EXPECT_EQ(named(check_processors, "processors").mend, "taskset --pid --cpu-list 0-7 4710");
    host_.processors.online = 1;
    EXPECT_EQ(named(check_processors, "processors").status, Status::note);
    host_.processors.features = {};
    EXPECT_EQ(named(check_processors, "copy_features").status, Status::note);
}

TEST_F(DoctorTest, AutogroupIsANote) {
    EXPECT_EQ(one(check_scheduler).status, Status::ok);
    write("/proc/sys/kernel/sched_autogroup_enabled", "0");
    EXPECT_EQ(one(check_scheduler).status, Status::ok);
    write("/proc/sys/kernel/sched_autogroup_enabled", "1");
    EXPECT_EQ(one(check_scheduler).status, Status::note);
}

struct PlaceCase {
    std::string name;
    std::function<void(Place&)> spoil;
    Status expected;
};

TEST_F(DoctorTest, RuntimeDirectoriesAreJudged) {
    const std::vector<PlaceCase> cases{
        {"as it should be", [](Place&) {}, Status::ok},
        {"not there yet", [](Place& place) { place.error = ENOENT; }, Status::note},
        {"closed", [](Place& place) { place.error = EACCES; }, Status::fail},
        {"a file", [](Place& place) { place.error = ENOTDIR; }, Status::fail},
        {"on a disk", [](Place& place) { place.memory = false; }, Status::note},
        {"nfs", [](Place& place) { place.remote = true; }, Status::fail},
        {"open to all", [](Place& place) { place.mode = 01777; }, Status::fail},
        {"full", [](Place& place) { place.free = 4096; }, Status::fail},
        {"an entrance, seen from a container",
         [](Place& place) {
             place.read_only = true;
             place.memory = false;
             place.mode = 0755;
             place.free = 0;
         },
         Status::ok},
        {"a long path", [](Place& place) { place.path += std::string(80, 'x'); }, Status::fail},
    };
    const Place good = host_.runtime;
    for (const PlaceCase& each : cases) {
        SCOPED_TRACE(each.name);
        host_.runtime = good;
        each.spoil(host_.runtime);
        const Check check = one(check_runtime_directory);
        EXPECT_EQ(check.status, each.expected) << check.found;
        EXPECT_EQ(check.status >= Status::warning,
                  !check.mend.empty() && each.expected >= Status::warning);
    }
}

TEST_F(DoctorTest, AConfigurationIsThereOrNot) {
    const auto check = [](const Host& host, Checks& checks) {
        check_configuration(host, "/etc/causeway/causeway.toml", checks);
    };
    EXPECT_EQ(one(check).status, Status::note);
    write("/etc/causeway/causeway.toml", "[adapter]");
    EXPECT_EQ(one(check).status, Status::ok);
}

// What warns or fails says what that costs, and names one command.
void expect_mendable(const Checks& checks) {
    for (const Check& check : checks) {
        SCOPED_TRACE(check.id + ": " + check.found);
        EXPECT_FALSE(check.found.empty());
        if (check.status >= Status::warning) {
            EXPECT_FALSE(check.costs.empty());
            EXPECT_FALSE(check.mend.empty());
        }
        if (check.mend.empty())
            continue;
        EXPECT_EQ(check.mend.find('\n'), std::string::npos);
        // One program, and at most one redirection, which is then of a shell of its own.
        EXPECT_EQ(check.mend.find_first_of(";&|`"), std::string::npos) << check.mend;
        EXPECT_EQ(std::count(check.mend.begin(), check.mend.end(), '>'),
                  check.mend.starts_with("sh -c '") ? 1 : 0)
            << check.mend;
    }
}

TEST_F(DoctorTest, EverythingWrongAtOnceIsMendableOneByOne) {
    host_.kernel = "4.4.0";
    host_.tries = {.user_namespace = EPERM,
                   .memory_file = "memfd_create: Function not implemented",
                   .io_uring = ENOSYS,
                   .membarrier = false};
    host_.limits.open_files = 16;
    host_.limits.mappings = 100;
    host_.limits.memory = {{.version = 2, .directory = "/cg", .limit = 100, .headroom = 0}};
    host_.processors = {.online = 4, .allowed = 1, .model = "old", .features = {}};
    host_.free_huge_pages = 0;
    host_.runtime.remote = true;
    Findings findings;
    findings.host = host_;
    findings.configuration = "/etc/none";
    findings.copy_kernels = "cached";
    findings.copies_from = "built in";
    findings.copies_problem = "line 1 of it is broken";
    findings.daemon.named = Named::here;
    findings.daemon.runtime_directory = "/run/causeway";
    findings.daemon.unreachable = Error{ErrorCode::no_adapter, "nobody listens"};
    const Checks checks = judge(findings);
    expect_mendable(checks);
    EXPECT_GE(count(checks, Status::fail), 5u);
    std::set<std::string> ids;
    for (const Check& check : checks)
        EXPECT_TRUE(ids.insert(check.id).second) << check.id;
}

TEST(DoctorDaemon, WhatKeepsFromAttachingHasItsOwnMend) {
    for (const ErrorCode code :
         {ErrorCode::no_adapter, ErrorCode::denied, ErrorCode::limit_reached, ErrorCode::version,
          ErrorCode::invalid_argument, ErrorCode::adapter_gone, ErrorCode::protocol}) {
        Daemon daemon;
        daemon.named = Named::here;
        daemon.socket = "/run/causeway/fabric.sock";
        daemon.runtime_directory = "/run/causeway";
        daemon.unreachable = Error{code, "the reason"};
        Checks checks;
        check_daemon(daemon, checks);
        ASSERT_EQ(checks.size(), 1u);
        EXPECT_EQ(checks[0].status, Status::fail);
        EXPECT_EQ(checks[0].found, "the reason");
        check_attach(daemon, checks);
        check_direct(daemon, checks);
        EXPECT_EQ(checks.size(), 1u);  // nothing more is known
        expect_mendable(checks);
    }
}

TEST(DoctorDaemon, NoneYetIsNoFailure) {
    Daemon daemon;
    daemon.runtime_directory = "/run/causeway";
    daemon.unreachable = Error{ErrorCode::no_adapter, "none"};
    Checks checks;
    check_daemon(daemon, checks);
    EXPECT_EQ(checks.at(0).status, Status::warning);
    EXPECT_EQ(checks.at(0).mend, "causewayd --runtime-dir /run/causeway");
}

Daemon reached() {
    Daemon daemon;
    daemon.socket = "/run/causeway/fabric.sock";
    daemon.figures.major = abi::kMajor;
    daemon.figures.minor = abi::kMinor;
    daemon.door = Door::open;
    daemon.name = "doctor-1";
    daemon.seen = true;
    daemon.same_users = true;
    return daemon;
}

TEST(DoctorDaemon, VersionsAreCompared) {
    const auto status = [](unsigned major, unsigned minor) {
        Daemon daemon = reached();
        daemon.figures.major = static_cast<std::uint16_t>(major);
        daemon.figures.minor = static_cast<std::uint16_t>(minor);
        Checks checks;
        check_daemon(daemon, checks);
        expect_mendable(checks);
        return checks.at(1).status;
    };
    EXPECT_EQ(status(abi::kMajor + 1, 0), Status::fail);
    EXPECT_EQ(status(abi::kMajor, abi::kMinor - 1), Status::warning);
    EXPECT_EQ(status(abi::kMajor, abi::kMinor + 1), Status::note);
    EXPECT_EQ(status(abi::kMajor, abi::kMinor), Status::note);  // another release, no version text
}

TEST(DoctorDaemon, AttachingAndDirect) {
    const auto both = [](const Daemon& daemon) {
        Checks checks;
        check_attach(daemon, checks);
        check_direct(daemon, checks);
        expect_mendable(checks);
        return checks;
    };
    Daemon daemon = reached();
    EXPECT_EQ(count(both(daemon), Status::ok), 2u);
    daemon.same_users = false;
    EXPECT_EQ(both(daemon).at(1).status, Status::note);
    daemon = reached();
    daemon.door = Door::named;
    EXPECT_THAT(both(daemon).at(0).found, HasSubstr("its own entrance"));
    EXPECT_EQ(both(daemon).at(1).status, Status::note);
    daemon.there = abi::PartitionRow{};
    EXPECT_EQ(both(daemon).at(0).status, Status::note);
    daemon = reached();
    daemon.refused = Error{ErrorCode::name_in_use, "taken"};
    EXPECT_EQ(both(daemon).at(0).status, Status::note);
    daemon.refused = Error{ErrorCode::denied, "rule 'x'"};
    EXPECT_EQ(both(daemon).size(), 1u);
    EXPECT_EQ(both(daemon).at(0).status, Status::fail);
    daemon.refused = Error{ErrorCode::limit_reached, "Too many open files"};
    daemon.more_files = "prlimit --pid 99 --nofile=65536:65536";
    EXPECT_EQ(both(daemon).at(0).mend, "prlimit --pid 99 --nofile=65536:65536");
}

TEST(DoctorReport, IsPlainWithoutATerminalAndOneLineEach) {
    const Checks checks{ok("a", "fine"), failure("bb", "bad\nline\x1b[0m", "much", "mend it")};
    const std::string plain = table(checks, Colour::no);
    EXPECT_THAT(plain, Not(HasSubstr("\x1b")));
    EXPECT_THAT(plain, HasSubstr("fail    bb  bad?line?[0m\n"));
    EXPECT_THAT(plain, HasSubstr("costs: much\n"));
    EXPECT_THAT(plain, HasSubstr("mend:  mend it\n"));
    EXPECT_THAT(plain, HasSubstr("1 failure, 0 warnings, 0 notes among 2 checks"));
    EXPECT_THAT(table(checks, Colour::yes), HasSubstr("\x1b[1;31mfail"));
    const cli::json json = to_json(checks);
    EXPECT_EQ(json.at("failures"), 1);
    EXPECT_TRUE(json.at("checks").at(0).at("mend").is_null());
    EXPECT_EQ(json.at("checks").at(1).at("status"), "fail");
}

TEST(DoctorHost, ThisOneIsFoundOut) {
    const test::TempDirectory directory;
    const Findings findings = find_out({.socket = {}, .runtime_directory = directory.path()});
    EXPECT_FALSE(findings.host.kernel.empty());
    EXPECT_EQ(findings.host.tries.memory_file, "");
    EXPECT_EQ(findings.host.runtime.mode, 0700u);
    EXPECT_EQ(findings.daemon.socket, directory.path() + "/fabric.sock");
    ASSERT_TRUE(findings.daemon.unreachable.has_value());
    EXPECT_EQ(findings.daemon.unreachable->code, ErrorCode::no_adapter);
    expect_mendable(judge(findings));
}

}  // namespace
}  // namespace causeway::doctor
