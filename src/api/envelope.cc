#include "api/envelope.h"

#include <utility>

#include "base/json.h"

namespace sonde::api {

ErrorAnswer DescribeError(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return {400, "bad_data"};
    case ErrorKind::kNotFound:
      return {404, "not_found"};
    case ErrorKind::kTimeout:
      return {503, "timeout"};
    case ErrorKind::kCancelled:
      return {499, "canceled"};
    case ErrorKind::kLimit:
      return {422, "execution"};
    case ErrorKind::kUnavailable:
      return {500, "unavailable"};  // As the reference: its table has no entry for it.
    case ErrorKind::kCorruption:
    case ErrorKind::kIo:
      return {500, "internal"};
  }
  return {500, "internal"};
}

ErrorAnswer DescribeQueryError(ErrorKind kind) {
  if (kind == ErrorKind::kInvalid) return {422, "execution"};
  return DescribeError(kind);
}

Answer Answer::Success(std::string_view data, const std::vector<std::string>& warnings,
                       const std::vector<std::string>& infos) {
  Answer answer;
  std::string& body = answer.body;
  body.reserve(data.size() + 64);
  body += R"({"status":"success","data":)";
  body += data;
  const auto append_list = [&](std::string_view name, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    body += ",\"";
    body += name;
    body += "\":";
    JsonWriter json(body);
    json.BeginArray();
    for (const std::string& text : texts) {
      json.String(text);
    }
    json.EndArray();
  };
  append_list("warnings", warnings);
  append_list("infos", infos);
  body.push_back('}');
  return answer;
}

Answer Answer::Failure(ErrorAnswer answer, std::string_view message) {
  Answer out;
  out.status = answer.status;
  JsonWriter json(out.body);
  json.BeginObject().Key("status").String("error").Key("errorType").String(answer.type);
  json.Key("error").String(message).EndObject();
  return out;
}

Answer Answer::Text(int status, std::string_view text) {
  return {status, "text/plain; charset=utf-8", std::string(text), {}};
}

void Send(net::HttpResponse& response, Answer answer) {
  for (const auto& [name, value] : answer.headers) {
    response.headers().Set(name, value);
  }
  static_cast<void>(
      response.Reply(answer.status, answer.content_type, std::move(answer.body)).ok());
}

}  // namespace sonde::api
