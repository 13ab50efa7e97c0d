#include "doctor/examine.hpp"

#include <causeway/causeway.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <utility>

#include "config/config.hpp"

namespace causeway::doctor {

Patience::Patience(std::string what)
    : what_(std::move(what)), thread_([this] {
          constexpr std::chrono::seconds kStep(2);
          std::unique_lock held(lock_);
          for (auto waited = kStep; !over_.wait_for(held, kStep, [this] { return done_; });
               waited += kStep)
              fmt::print(stderr, "causeway: {} takes {} s so far\n", what_, waited.count());
      }) {}

Patience::~Patience() {
    {
        const std::lock_guard held(lock_);
        done_ = true;
    }
    over_.notify_one();
    thread_.join();
}

Findings find_out(const Wanted& wanted) {
    Findings findings;
    findings.daemon = find_daemon(wanted);
    findings.host = this_host(findings.daemon.runtime_directory);
    if (few_files(findings.host))
        findings.daemon.more_files = more_files(findings.host);
    {
        const Patience patience("asking the adapter at " + findings.daemon.socket);
        ask_daemon(findings.daemon);
    }
    findings.configuration = config::kDefaultPath;
    findings.copy_kernels = cw_copies_text();
    findings.copies_from = cw_copies_source();
    findings.copies_problem = cw_copies_problem();
    return findings;
}

Checks judge(const Findings& findings) {
    Checks checks;
    for (const auto check :
         {check_kernel, check_user_namespaces, check_memory_files, check_io_uring, check_membarrier,
          check_huge_pages, check_memory_groups, check_open_files, check_locked_memory,
          check_mappings, check_processors, check_clock, check_scheduler, check_shared_memory,
          check_runtime_directory})
        check(findings.host, checks);
    check_copies(findings.copy_kernels, findings.copies_from, findings.copies_problem, checks);
    check_configuration(findings.host, findings.configuration, checks);
    for (const auto check : {check_daemon, check_attach, check_direct})
        check(findings.daemon, checks);
    return checks;
}

}  // namespace causeway::doctor
