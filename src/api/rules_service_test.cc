#include "api/rules_service.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace sonde::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<rules::GroupView> Groups() {
  auto alert = std::make_shared<rules::RuleView>();
  alert->options = {.alerting = true,
                    .name = "Hot",
                    .expr = "t>80",
                    .hold = Duration(90'000),
                    .keep_firing_for = Duration(0),
                    .labels = {{"severity", "page"}},
                    .annotations = {{"s", "{{ $value }}"}}};
  alert->query = "t > 80";
  alert->alerts = {{Labels::Of({{"alertname", "Hot"}, {"gpu", "1"}}),
                    Labels::Of({{"s", "85"}}),
                    rules::AlertState::kFiring,
                    {1'700'000'000'500},
                    std::nullopt,
                    85.5}};
  alert->health = rules::RuleHealth::kOk;
  alert->last_evaluation = Timestamp{1'700'000'060'000};
  auto record = std::make_shared<rules::RuleView>();
  record->options = {.alerting = false,
                     .name = "a:b",
                     .expr = "up",
                     .hold = Duration(0),
                     .keep_firing_for = Duration(0),
                     .labels = {},
                     .annotations = {}};
  record->query = "up";
  record->health = rules::RuleHealth::kBad;
  record->last_error = "no";
  const rules::GroupView one{"g1", "a.yml", Duration(30'000), 0, {alert, record}, 0.5, {}};
  const rules::GroupView two{"g2", "b.yml", Duration(60'000), 5, {record}, 0, {}};
  return {one, two};
}

std::string Ask(const std::string& query) {
  const auto parameters = net::Query::Parse(query);
  EXPECT_TRUE(parameters);
  return RulesAnswer(Groups(), *parameters).body;
}

/// "group/rule" of each rule in the answer.
std::vector<std::string> Names(const std::string& query) {
  std::vector<std::string> names;
  const auto document = JsonDocument::Parse(Ask(query));
  EXPECT_TRUE(document);
  const JsonView groups = document->root()["data"]["groups"];
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const JsonView group = groups.at(i);
    for (std::size_t j = 0; j < group["rules"].size(); ++j)
      names.push_back(std::string(*group["name"].string()) + "/" +
                      std::string(*group["rules"].at(j)["name"].string()));
  }
  return names;
}

TEST(RulesService, TheAnswerHasEveryField) {
  EXPECT_EQ(
      Ask("rule_group[]=g1"),
      R"({"status":"success","data":{"groups":[{"name":"g1","file":"a.yml","rules":[)"
      R"({"state":"firing","name":"Hot","query":"t > 80","duration":90,"keepFiringFor":0,)"
      R"("labels":{"severity":"page"},"annotations":{"s":"{{ $value }}"},"alerts":[)"
      R"({"labels":{"alertname":"Hot","gpu":"1"},"annotations":{"s":"85"},"state":"firing",)"
      R"("activeAt":"2023-11-14T22:13:20.500Z","value":"8.55e+01"}],"health":"ok",)"
      R"("evaluationTime":0,"lastEvaluation":"2023-11-14T22:14:20Z","type":"alerting"},)"
      R"({"name":"a:b","query":"up","health":"err","lastError":"no","evaluationTime":0,)"
      R"("lastEvaluation":"0001-01-01T00:00:00Z","type":"recording"}],"interval":30,"limit":0,)"
      R"("evaluationTime":0.5,"lastEvaluation":"0001-01-01T00:00:00Z"}]}})");
}

TEST(RulesService, Filters) {
  EXPECT_THAT(Names(""), ElementsAre("g1/Hot", "g1/a:b", "g2/a:b"));
  EXPECT_THAT(Names("type=alert"), ElementsAre("g1/Hot"));
  EXPECT_THAT(Names("type=record"), ElementsAre("g1/a:b", "g2/a:b"));
  EXPECT_THAT(Names("rule_name[]=Hot&rule_name[]=x"), ElementsAre("g1/Hot"));
  EXPECT_THAT(Names("file[]=b.yml"), ElementsAre("g2/a:b"));
  EXPECT_THAT(Names("match[]={severity=\"page\"}"), ElementsAre("g1/Hot"));
  EXPECT_THAT(Names("match[]={severity=~\"x|y\"}"), ElementsAre());
  EXPECT_THAT(Ask("exclude_alerts=true"), HasSubstr(R"("alerts":[],"health")"));
  EXPECT_THAT(Ask("type=both"),
              HasSubstr(R"(invalid parameter \"type\": not supported value \"both\")"));
  EXPECT_THAT(Ask("exclude_alerts=maybe"), HasSubstr("exclude_alerts"));
}

TEST(RulesService, Pages) {
  EXPECT_THAT(Names("group_limit=1"), ElementsAre("g1/Hot", "g1/a:b"));
  const auto first = JsonDocument::Parse(Ask("group_limit=1"));
  const std::string token(*first->root()["data"]["groupNextToken"].string());
  EXPECT_THAT(Names("group_limit=1&group_next_token=" + token), ElementsAre("g2/a:b"));
  EXPECT_THAT(Ask("group_limit=2"), Not(HasSubstr("groupNextToken")));
  EXPECT_THAT(Ask("group_next_token=" + token), HasSubstr("group_limit needs to be present"));
  EXPECT_THAT(Ask("group_limit=1&group_next_token=x"), HasSubstr("were rule groups changed?"));
  EXPECT_THAT(Ask("group_limit=0"), HasSubstr("greater than 0"));
  EXPECT_THAT(Ask("group_limit=x"), HasSubstr("must be a number"));
}

TEST(RulesService, Alerts) {
  EXPECT_EQ(AlertsAnswer(Groups()).body,
            R"({"status":"success","data":{"alerts":[{"labels":{"alertname":"Hot","gpu":"1"},)"
            R"("annotations":{"s":"85"},"state":"firing","activeAt":"2023-11-14T22:13:20.500Z",)"
            R"("value":"8.55e+01"}]}})");
}

}  // namespace
}  // namespace sonde::api
