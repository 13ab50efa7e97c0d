// causeway auth: who may do what to whom, told beforehand in the adapter's words.
#include <fmt/format.h>

#include <memory>

#include "base/names.hpp"
#include "command.hpp"
#include "config/policy.hpp"
#include "configuration/source.hpp"
#include "json.hpp"

namespace causeway::cli {
namespace {

struct Options {
    std::string from;
    std::string to;
    std::string operation;
    std::string service;
    std::string executor = "adapter";
    ConfigSource source;
    bool json = false;
};

constexpr std::string_view kCommand = "auth explain";

// `word` is none of `known`; returns the exit status.
[[nodiscard]] int none_of(const std::string& what, const std::string& word,
                          const std::vector<std::string>& known) {
    const std::string nearest = nearest_word(word, known);
    return wrong_usage(fmt::format("{} '{}' is none of {}{}", what, word, fmt::join(known, ", "),
                                   nearest.empty() ? "" : ", did you mean '" + nearest + "'?"),
                       std::string(kCommand));
}

[[nodiscard]] json to_json(const Options& options, const LoadedSource& source,
                           const config::Verdict& verdict) {
    const auto or_null = [](const std::string& text) {
        return text.empty() ? json(nullptr) : json(text);
    };
    return {{"from", options.from},
            {"to", options.to},
            {"operation", options.operation},
            {"service", or_null(options.service)},
            {"executor", options.executor},
            {"file", or_null(source.path)},
            {"allowed", verdict.allowed},
            {"rule", verdict.rule},
            {"text", verdict.text},
            {"condition", or_null(verdict.condition)},
            {"remedy", or_null(verdict.remedy)}};
}

Result<int> explain(const Options& options) {
    for (const auto& [kind, name] :
         {std::pair("partition", &options.from), std::pair("partition", &options.to),
          std::pair("service", &options.service)}) {
        if (std::string_view(kind) == "service" && name->empty())
            continue;
        if (const auto checked = check_name(kind, *name); !checked)
            return wrong_usage(checked.error().text, std::string(kCommand));
    }
    const auto operation = config::operation_of(options.operation);
    if (!operation)
        return none_of("OPERATION", options.operation,
                       {"connect", "send", "write", "read", "append"});
    if (options.executor != "adapter" && options.executor != "direct")
        return none_of("--executor", options.executor, {"adapter", "direct"});
    const auto executor =
        options.executor == "direct" ? config::Executor::direct : config::Executor::adapter;
    const LoadedSource source = load_source(options.source, NoFile::built_in);
    if (!source.loaded.ok()) {
        print_problems(source.loaded.problems);
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} has errors, so nobody can tell what it allows", source.path));
    }
    const config::Verdict verdict = config::decide(source.loaded.config, options.from, options.to,
                                                   *operation, executor, options.service);
    if (options.json)
        print_json(to_json(options, source, verdict));
    else
        fmt::print("{}: {}\n", verdict.allowed ? "allowed" : "denied", verdict.text);
    return verdict.allowed ? 0 : kFailed;
}

void add_explain(CLI::App& auth) {
    auto options = std::make_shared<Options>();
    CLI::App& explain_app =
        *auth.add_subcommand("explain", "Tell whether something is allowed, and by which rule");
    explain_app.add_option("FROM", options->from, "Partition that wants to do it")
        ->required()
        ->type_name("");
    explain_app.add_option("TO", options->to, "Partition it is done to")->required()->type_name("");
    explain_app.add_option("OPERATION", options->operation, "connect, send, write, read or append")
        ->required()
        ->type_name("");
    explain_app
        .add_option("--service", options->service,
                    "The service to connect to; without it: would it be allowed for all?")
        ->type_name("NAME");
    explain_app.add_option("--executor", options->executor, "adapter or direct")
        ->type_name("NAME")
        ->capture_default_str();
    explain_app
        .add_option("--config", options->source.file,
                    "The configuration (default: $CAUSEWAY_CONFIG, or " +
                        std::string(config::kDefaultPath) +
                        ";\nwithout one the policy that is built in)")
        ->type_name("FILE");
    add_set_option(explain_app, options->source);
    add_json_option(explain_app, options->json);
    explain_app.footer(
        "Status 0: allowed; 1: denied, with the rules that came near and the lines of the file\n"
        "that would allow it.\n\n"
        "Example:\n"
        "  causeway auth explain orders billing connect --service invoices");
    on_run(explain_app, [options] { return explain(*options); });
}

}  // namespace

void add_auth(CLI::App& app) {
    CLI::App& auth = *app.add_subcommand("auth", "Explain what the policy allows");
    auth.require_subcommand(1);
    auth.footer(
        "Example:\n"
        "  causeway auth explain orders billing send --executor direct\n\n"
        "`causeway auth explain --help` says more.");
    add_explain(auth);
}

}  // namespace causeway::cli
