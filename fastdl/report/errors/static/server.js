// Requests to the server, and what to say when it does not answer.

const GONE =
  "The server does not answer, so nothing more is saved. Start “fastdl errors” " +
  "again and open the address that it prints; what was saved is still there.";

let queue = Promise.resolve();

/** Return the JSON of an address; throw an Error that tells the user why not. */
export async function get(path) {
  return read(await send(path));
}

/** Send a change; changes are made in the order of the calls, one after another. */
export function post(path, content) {
  const body = content instanceof Blob ? content : JSON.stringify(content ?? {});
  const type = content instanceof Blob ? content.type : "application/json";
  const options = { method: "POST", body, headers: { "Content-Type": type } };
  const answer = queue.then(() => send(path, options)).then(read);
  queue = answer.catch(() => {});
  return answer;
}

async function send(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Error(GONE);
  }
}

async function read(response) {
  let content;
  try {
    content = await response.json();
  } catch {
    throw new Error(GONE);
  }
  if (!response.ok) throw new Error(content.error);
  return content;
}
