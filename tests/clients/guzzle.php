<?php

/**
 * What the official PHP client does, with Guzzle as it does it: a token that has expired gets 401, the client posts its refresh token as a
 * form, keeps what it is given, and sends the request once more. Bodies are arrays, so no settings are `[]`, also that of a DELETE.
 */

declare(strict_types=1);

use GuzzleHttp\Client;
use Psr\Http\Message\ResponseInterface;

require 'GuzzleHttp/autoload.php';

const NAME = 'Guzzle (PHP)';
const REDIRECT = 'https://example.com/oauth';

function setting(string $name): string
{
    $value = getenv($name);
    if ($value === false || $value === '') {
        fwrite(STDERR, "$name is not set: start this through ./run\n");
        exit(2);
    }
    return $value;
}

function equal($actual, $expected): void
{
    if ($actual !== $expected) {
        throw new RuntimeException("\nexpected: " . json_encode($expected) . "\n     got: " . json_encode($actual));
    }
}

function check(bool $holds, string $what): void
{
    if (!$holds) {
        throw new RuntimeException($what);
    }
}

/** An answer that is no success, with what its body says. */
final class Refused extends RuntimeException
{
    public int $status;
    public array $body;

    public function __construct(int $status, array $body)
    {
        parent::__construct("$status: " . ($body['detail'] ?? ''));
        $this->status = $status;
        $this->body = $body;
    }
}

/** The body of an answer whose header is this text and no other. */
function decoded(ResponseInterface $answer, string $type): array
{
    equal($answer->getHeaderLine('Content-Type'), $type);
    $body = json_decode((string) $answer->getBody(), true);
    check(is_array($body), 'the body is no JSON');
    return $body;
}

/** A session of an integration that has got its tokens earlier. */
final class Session
{
    public string $access;
    public string $refresh;
    /** How often the tokens were exchanged. */
    public int $exchanges = 0;
    private Client $http;
    private string $client;
    private string $secret;

    public function __construct(Client $http, string $client, string $secret)
    {
        [$this->http, $this->client, $this->secret] = [$http, $client, $secret];
    }

    /** Asks for tokens; keeps them. */
    public function grant(array $members): array
    {
        $form = ['client_id' => $this->client, 'client_secret' => $this->secret, 'redirect_uri' => REDIRECT] + $members;
        $answer = $this->http->request('POST', '/oauth2/access_token', ['form_params' => $form]);
        if ($answer->getStatusCode() !== 200) {
            throw new Refused($answer->getStatusCode(), decoded($answer, 'application/problem+json'));
        }
        $tokens = decoded($answer, 'application/json');
        [$this->access, $this->refresh] = [$tokens['access_token'], $tokens['refresh_token']];
        return $tokens;
    }

    public function exchange(): array
    {
        $this->exchanges++;
        return $this->grant(['grant_type' => 'refresh_token', 'refresh_token' => $this->refresh]);
    }

    /** Sends a request, after a 401 once more with new tokens; null for an answer without a body. */
    public function send(string $method, string $path, ?array $body = null, array $query = []): ?array
    {
        $options = ['query' => $query] + ($body === null ? [] : ['json' => $body]);
        $answer = $this->ask($method, $path, $options);
        if ($answer->getStatusCode() === 401) {
            decoded($answer, 'application/problem+json');
            $this->exchange();
            $answer = $this->ask($method, $path, $options);
        }
        if ($answer->getStatusCode() === 204) {
            equal((string) $answer->getBody(), '');
            return null;
        }
        if ($answer->getStatusCode() !== 200) {
            throw new Refused($answer->getStatusCode(), decoded($answer, 'application/problem+json'));
        }
        return decoded($answer, 'application/hal+json');
    }

    private function ask(string $method, string $path, array $options): ResponseInterface
    {
        $headers = ['Authorization' => "Bearer {$this->access}", 'X-Client-UUID' => $this->client];
        return $this->http->request($method, $path, $options + ['headers' => $headers]);
    }
}

$http = new Client(['base_uri' => setting('CLIENTS_URL'), 'http_errors' => false, 'timeout' => 30, 'proxy' => '']);
$admin = ['Authorization' => 'Bearer ' . setting('CLIENTS_ADMIN_TOKEN')];
$widget = 'guzzle_notes';

// An integration with a widget that the account has installed: only for that it gets tokens.
$made = $http->request('POST', '/registry/v1/integrations', ['headers' => $admin, 'json' => ['name' => 'Guzzle']]);
equal($made->getStatusCode(), 201);
$integration = decoded($made, 'application/json');
$publish = [
    setting('CLIENTS_BIN'), 'publish', '--server', setting('CLIENTS_URL'), '--code', $widget,
    '--client-uuid', $integration['client_uuid'], setting('CLIENTS_SAMPLES') . '/demo_notes',
];
putenv('WIDGET_REGISTRY_TOKEN=' . setting('CLIENTS_ADMIN_TOKEN'));
exec(implode(' ', array_map('escapeshellarg', $publish)) . ' >&2', $lines, $status);
equal($status, 0);
$installed = $http->request('POST', "/api/v4/widgets/$widget", ['headers' => $admin, 'json' => []]);
equal($installed->getStatusCode(), 200);
$session = new Session($http, $integration['client_uuid'], $integration['secret']);

$cases = [
    'tokens: for the account that has it installed' => function () use ($session): void {
        $tokens = $session->grant(['grant_type' => 'client_credentials', 'account_id' => 1]);
        $names = array_keys($tokens);
        sort($names);
        equal($names, ['access_token', 'expires_in', 'refresh_token', 'token_type']);
        equal([$tokens['token_type'], $tokens['expires_in']], ['Bearer', 86400]);
        check($session->send('GET', '/api/v4/widgets') !== null && $session->exchanges === 0, 'the new token is refused');
    },
    'tokens: one that has expired gets 401, the client exchanges them and goes on' => function () use ($session, $http): void {
        $session->access = setting('CLIENTS_EXPIRING_TOKEN');
        $headers = ['Authorization' => "Bearer {$session->access}"];
        // It lives for a second, and half a minute more for clocks that differ.
        do {
            $status = $http->request('GET', '/api/v4/widgets', ['headers' => $headers])->getStatusCode();
            check($status === 200 || $status === 401, "it is answered $status");
        } while ($status === 200);
        $before = $session->refresh;
        check(isset($session->send('GET', '/api/v4/widgets')['_embedded']['widgets']), 'no widgets');
        equal($session->exchanges, 1);
        check($session->access !== setting('CLIENTS_EXPIRING_TOKEN') && $session->refresh !== $before, 'the tokens are the same');
        $session->exchange();
        $session->send('GET', '/api/v4/widgets');
        equal($session->exchanges, 2);
    },
    'tokens: a refresh token is good once' => function () use ($session): void {
        [$access, $used] = [$session->access, $session->refresh];
        $session->exchange();
        $newest = [$session->access, $session->refresh];
        $session->refresh = $used;
        try {
            $session->exchange();
            throw new LogicException('it was taken twice');
        } catch (Refused $refused) {
            equal([$refused->status, $refused->body['error'], $refused->body['hint']], [401, 'invalid_grant', 'Token has been revoked']);
        }
        [$session->access, $session->refresh] = $newest;
        check($access !== $session->access, 'the access token is the same');
    },
    'tokens: another secret' => function () use ($http, $integration): void {
        $stranger = new Session($http, $integration['client_uuid'], 'x');
        try {
            $stranger->grant(['grant_type' => 'client_credentials']);
            throw new LogicException('it was taken');
        } catch (Refused $refused) {
            equal([$refused->status, $refused->body['error']], [401, 'invalid_client']);
        }
    },
    'tokens: id and secret by HTTP Basic' => function () use ($http, $integration): void {
        $answer = $http->request('POST', '/oauth2/access_token', [
            'auth' => [$integration['client_uuid'], $integration['secret']],
            'form_params' => ['grant_type' => 'client_credentials'],
        ]);
        equal([$answer->getStatusCode(), decoded($answer, 'application/json')['token_type']], [200, 'Bearer']);
    },
    'list: two at a time, until there is no next link' => function () use ($session, $widget): void {
        $codes = [];
        $page = $session->send('GET', '/api/v4/widgets', null, ['page' => 1, 'limit' => 2]);
        while (true) {
            array_push($codes, ...array_column($page['_embedded']['widgets'], 'code'));
            if (!isset($page['_links']['next'])) {
                break;
            }
            parse_str((string) parse_url($page['_links']['next']['href'], PHP_URL_QUERY), $query);
            $page = $session->send('GET', '/api/v4/widgets', null, $query);
        }
        equal($codes, array_values(array_unique($codes)));
        foreach ([$widget, ...explode(' ', setting('CLIENTS_WIDGETS'))] as $code) {
            check(in_array($code, $codes, true), "$code is not listed");
        }
    },
    'install: no settings, as an empty array' => function () use ($session): void {
        $widget = $session->send('POST', '/api/v4/widgets/demo_notes', []);
        equal([$widget['code'], $widget['is_active_in_account']], ['demo_notes', true]);
    },
    'install: required fields are missing' => function () use ($session): void {
        try {
            $session->send('POST', '/api/v4/widgets/demo_telephony', []);
            throw new LogicException('it was installed');
        } catch (Refused $refused) {
            equal($refused->status, 400);
            equal($refused->body['validation-errors'][0]['errors'][0]['code'], 'FieldMissing');
        }
    },
    'uninstall: with an empty array as its body' => function () use ($session): void {
        equal($session->send('DELETE', '/api/v4/widgets/demo_notes', []), null);
        equal($session->send('GET', '/api/v4/widgets/demo_notes')['is_active_in_account'], false);
    },
    'uninstall: its own widget, and with it the refresh token' => function () use ($session, $widget): void {
        equal($session->send('DELETE', "/api/v4/widgets/$widget", []), null);
        try {
            $session->exchange();
            throw new LogicException('the refresh token outlived the install');
        } catch (Refused $refused) {
            equal([$refused->status, $refused->body['error']], [401, 'invalid_grant']);
        }
    },
];

$failed = 0;
foreach ($cases as $name => $case) {
    try {
        $case();
        echo 'ok - ', NAME, ": $name\n";
    } catch (Throwable $why) {
        $failed++;
        echo 'not ok - ', NAME, ": $name\n", preg_replace('/^/m', '#   ', (string) $why), "\n";
    }
}
exit($failed === 0 ? 0 : 1);
