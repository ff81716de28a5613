// SPDX-License-Identifier: Apache-2.0
#include "console/console.hh"

#include "console/openapi.hh"
#include "console/request_table.hh"
#include "control/change_effect.hh"

namespace nlb::console {
namespace {

using Json = nlohmann::json;
using http::Answer;
using http::Request;
constexpr const char* kCookie = "nlb_session";
constexpr const char* kApi = "/api/v1";
constexpr std::chrono::milliseconds kYoungEnough{400};
constexpr int kCommandTimeoutMs = 15000;
constexpr unsigned kWorkers = 8;

Answer json_text(const std::string& text, unsigned status = 200) {
  Answer answer;
  answer.status = status;
  answer.type = "application/json";
  answer.body = text + "\n";
  answer.headers = {{"Cache-Control", "no-store"}};
  return answer;
}

Answer json_answer(const Json& document, unsigned status = 200) {
  return json_text(document.dump(-1, ' ', false, Json::error_handler_t::replace), status);
}

// RFC 9457.
Answer problem(unsigned status, const std::string& title, const std::string& detail, int exit = 0) {
  Json document = {{"title", title}, {"status", status}, {"detail", detail}};
  if (exit != 0) document["exit"] = exit;
  auto answer = json_answer(document, status);
  answer.type = "application/problem+json";
  return answer;
}

// Exit codes of the outside contract.
Answer problem_of(const Error& error) {
  const unsigned status = error.code == 2 ? 400 : error.code == 3 ? 503 : error.code == 4 ? 403 : 409;
  const char* title = error.code == 2   ? "This cannot be asked so"
                      : error.code == 3 ? "Nobody answers"
                      : error.code == 4 ? "Not permitted"
                                        : "It failed";
  return problem(status, title, error.message, error.code);
}

Answer answer_of(const Result<Json>& answer) {
  return answer ? json_answer(*answer) : problem_of(answer.error());
}

std::string cookie_of(const Request& request) {
  const std::string cookies = request.header("cookie");
  const std::string name = std::string(kCookie) + "=";
  for (std::size_t at = 0; at < cookies.size();) {
    const auto end = std::min(cookies.find(';', at), cookies.size());
    const auto begin = std::min(cookies.find_first_not_of(' ', at), end);
    if (cookies.compare(begin, name.size(), name) == 0)
      return cookies.substr(begin + name.size(), end - begin - name.size());
    at = end + 1;
  }
  return "";
}

std::string cookie_header(const std::string& value, bool secure) {
  return std::string(kCookie) + "=" + value + "; Path=/; HttpOnly; SameSite=Strict" +
         (secure ? "; Secure" : "") + (value.empty() ? "; Max-Age=0" : "");
}

bool is_json(const Request& request) {
  return request.header("content-type").starts_with("application/json");
}

}  // namespace

Console::Console(const Settings& settings) : settings_(settings), assets_(settings.assets) {}

Result<void> Console::start() {
  auto token = token_of(settings_.token_file);
  if (!token) return tl::unexpected(token.error());
  token_ = *token;
  http::Options options;
  options.address = settings_.address;
  options.port = settings_.port;
  options.certificate = settings_.certificate;
  options.key = settings_.key;
  options.workers = kWorkers;
  options.headers = {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
  };
  auto server = http::Server::listen(options, [this](const Request& request) { return answer(request); });
  if (!server) return tl::unexpected(server.error());
  server_ = std::move(*server);
  fleet_ = std::make_unique<Fleet>(settings_.places, [this](const std::shared_ptr<Target>& target) {
    const std::lock_guard lock(mutex_);
    watches_[target->id()] = std::make_unique<Watch>(target, live_);
  });
  return {};
}

Answer Console::answer(const Request& request) {
  if (request.path.starts_with("/api/")) return answer_api(request);
  if (request.method != "GET" && request.method != "HEAD")
    return problem(405, "Wrong method", "pages are read");
  return assets_.answer(request);
}

Answer Console::answer_api(const Request& request) {
  if (!request.path.starts_with(std::string(kApi) + "/"))
    return problem(404, "Not found", "this server speaks /api/v1");
  const std::string path = request.path.substr(std::string(kApi).size());
  const bool reads = request.method == "GET";
  if (!reads && request.method != "POST") return problem(405, "Wrong method", "the API takes GET and POST");
  if (!reads && !is_json(request)) return problem(415, "Wrong type", "a body is application/json");
  if (path == "/openapi.json") return json_answer(Json::parse(kOpenApi));
  if (path == "/login") return reads ? problem(405, "Wrong method", "a login is a POST") : login(request);
  const auto session = sessions_.find(cookie_of(request));
  if (!session && path == "/session" && reads) return json_answer({{"open", false}});
  if (!session) return problem(401, "Not logged in", "log in with the console's token first");
  if (!reads && !same_secret(request.header("x-csrf-token"), session->csrf))
    return problem(403, "Not from the console's page", "the header X-CSRF-Token is missing or wrong");
  if (path == "/session" && reads) return session_answer(*session);
  if (path == "/logout" && !reads) {
    sessions_.close(session->id);
    auto answer = json_answer(Json::object());
    answer.headers.emplace_back("Set-Cookie", cookie_header("", request.secure));
    return answer;
  }
  if (fleet_ == nullptr) return problem(503, "Starting", "try again in a moment");
  if (path == "/targets" && reads) return targets();
  if (path == "/live" && reads) return live();
  if (path == "/change-fields" && reads) return json_answer(change_fields());
  if (path.starts_with("/targets/")) return of_target(request, path.substr(9));
  return problem(404, "Not found", "the API has no " + path);
}

Answer Console::login(const Request& request) {
  const auto body = Json::parse(request.body, nullptr, false);
  const auto given = body.is_object() ? body.find("token") : body.end();
  if (!body.is_object() || given == body.end() || !given->is_string())
    return problem(400, "No token", "a login is {\"token\":\"…\"}");
  if (!same_secret(given->get<std::string>(), token_)) {
    auto answer =
        problem(401, "Wrong token", "it is in the file " + settings_.token_file + " of the console's host");
    answer.delay = wrong_tokens_.another();
    return answer;
  }
  const auto session = sessions_.open();
  auto answer = session_answer(session);
  answer.headers.emplace_back("Set-Cookie", cookie_header(session.id, request.secure));
  return answer;
}

Answer Console::session_answer(const Session& session) const {
  return json_answer({{"open", true}, {"csrf", session.csrf}, {"version", NLB_VERSION}});
}

Answer Console::live() {
  auto place = live_.admit();
  if (!place) return problem(503, "Too many look on", "at most " + std::to_string(Live::kMost) + " at once");
  Answer answer;
  answer.type = "text/event-stream";
  answer.headers = {{"Cache-Control", "no-store"}};
  answer.stream = [this, place](std::shared_ptr<http::Stream> stream) {
    live_.join(std::move(stream), place);
  };
  return answer;
}

Answer Console::targets() const {
  Json list = Json::array();
  for (const auto& target : fleet_->targets()) list.push_back(target->summary());
  return json_answer({{"targets", list}, {"silent", fleet_->silent()}});
}

Watch* Console::watch_of(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = watches_.find(id);
  return found == watches_.end() ? nullptr : found->second.get();
}

// ID/samples, ID/events, ID/COMMAND that asks, ID/commands/COMMAND that changes
Answer Console::of_target(const Request& request, const std::string& rest) {
  const auto slash = rest.find('/');
  const auto id = http::decoded(rest.substr(0, slash));
  const auto what = slash == std::string::npos ? "" : rest.substr(slash + 1);
  const auto target = fleet_->find(id);
  if (!target) return problem(404, "Not found", "no cluster or switch is called " + id);
  const bool reads = request.method == "GET";
  auto* watch = watch_of(id);
  if (reads && watch != nullptr && what == "samples")
    return json_text("{\"samples\":" + watch->samples() + "}");
  if (reads && watch != nullptr && what == "events")
    return json_answer({{"events", watch->events(EventLog::kMost)}});
  const std::string commands = "commands/";
  if (!reads && what.starts_with(commands)) return command(*target, request, what.substr(commands.size()));
  if (reads) return ask(*target, request, what);
  return problem(404, "Not found", "there is no " + what + " of " + id);
}

Answer Console::ask(Target& target, const Request& request, const std::string& what) {
  const auto* entry = offered(target.kind(), what, false);
  if (entry == nullptr)
    return problem(404, "Not found", "there is no \"" + what + "\" of a " + name_of(target.kind()));
  const auto wanted = request_from(*entry, request.query);
  if (!wanted) return problem_of(wanted.error());
  return answer_of(target.ask_shared(*wanted, kYoungEnough));
}

Answer Console::command(Target& target, const Request& request, const std::string& name) {
  const auto* entry = offered(target.kind(), name, true);
  if (entry == nullptr)
    return problem(404, "Not found", "there is no command \"" + name + "\" for a " + name_of(target.kind()));
  const auto body = Json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
  if (!body.is_object()) return problem(400, "No object", "the arguments are one JSON object");
  const auto wanted = request_from(*entry, body);
  if (!wanted) return problem_of(wanted.error());
  return answer_of(target.command(*wanted, kCommandTimeoutMs));
}

}  // namespace nlb::console
