import java.util.stream.Collectors;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.StatisticsApi;
import org.openapitools.client.api.StatisticsApi.APIGetGeneStatisticsRequest;
import org.openapitools.client.model.ErrorBody;
import org.openapitools.client.model.ProjectStatistics;
import org.openapitools.client.model.UserStatistics;

/** Asks with the generated client, and prints a line for each caller whose token it is given. */
public final class Ask {
    private Ask() {}

    /** Takes the service's address, a project, and tokens. */
    public static void main(String[] arguments) throws Exception {
        for (int at = 2; at < arguments.length; at++) {
            String token = arguments[at];
            ApiClient client = new ApiClient();
            client.updateBaseUri(arguments[0]);
            client.setRequestInterceptor(request -> request.header("X-Auth-Token", token));
            System.out.println(ask(client, arguments[1]));
        }
    }

    private static String ask(ApiClient client, String project) throws Exception {
        APIGetGeneStatisticsRequest request =
                APIGetGeneStatisticsRequest.newBuilder().projectId(project).start(0L).xLanguage("zh-cn").build();
        try {
            ApiResponse<ProjectStatistics> response = new StatisticsApi(client).getGeneStatisticsWithHttpInfo(request);
            ProjectStatistics answer = response.getData();
            String users = answer.getUsers().stream().map(Ask::row).collect(Collectors.joining(",", "[", "]"));
            long asOf = Long.parseLong(response.getHeaders().get("X-Statistics-As-Of").get(0));
            return answer.getTotalRunningNum() + " " + answer.getTotalInputSize() + " " + users + " " + asOf;
        } catch (ApiException error) {
            ErrorBody body = client.getObjectMapper().readValue(error.getResponseBody(), ErrorBody.class);
            return error.getCode() + " " + body.getErrorCode() + " " + body.getErrorMsg();
        }
    }

    private static String row(UserStatistics user) {
        return user.getUserName() + "=" + user.getInputSize();
    }
}
